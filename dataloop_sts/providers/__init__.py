"""Dataloop's integration and storage driver, and the preflight, as Pulumi resources (dynamic providers).

The modules' paths and the classes' names are in every stack's state (a provider is pickled by reference): they are a
contract, to be changed only together with a migration.
"""

from dataloop_sts.providers.adoption import DriverToTry, IntegrationToAdopt
from dataloop_sts.providers.integration import Integration
from dataloop_sts.providers.preflight import Preflight
from dataloop_sts.providers.storage_driver import StorageDriver

__all__ = ["DriverToTry", "Integration", "IntegrationToAdopt", "Preflight", "StorageDriver"]
