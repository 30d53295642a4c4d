"""The Dataloop API as methods: one for each call that a connection needs, typed both ways."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

import requests
from pydantic import BaseModel

from dataloop_sts.dataloop.address import DEFAULT_API_URL, Address
from dataloop_sts.dataloop.answers import error_of, json_of, model_of, models_of
from dataloop_sts.dataloop.auth import (
    BearerAuth,
    Credentials,
    MachineLogin,
    StaticToken,
    TokenCredentials,
    TokenSource,
    credentials_from_environment,
)
from dataloop_sts.dataloop.models import (
    INTEGRATION_TYPE,
    Dataset,
    Driver,
    Integration,
    NewDriver,
    Organization,
    Project,
    StsCredentials,
    User,
)
from dataloop_sts.dataloop.transport import Answer, Call, Effect, Retries, Timeouts, Transport
from dataloop_sts.errors import (
    DataloopError,
    DriverTestFailed,
    InvalidSetting,
    NotAuthenticated,
    RateLimited,
    ServerError,
    UnexpectedAnswer,
)
from dataloop_sts.redaction import Redactor

_SETTINGS = ("DATALOOP_API_URL", "DATALOOP_TOKEN", "DATALOOP_USERNAME", "DATALOOP_PASSWORD")
_PAGE_SIZE = 1000  # datasets asked for at once, as the vendor's client does
_MAX_PAGES = 1000  # a platform that always promises another page must not keep us for ever

Model = TypeVar("Model", bound=BaseModel)

_shared: dict[tuple[int, str, Callable[[], None] | None], DataloopClient] = {}
_shared_lock = threading.Lock()


class DataloopClient:
    """Client of one environment of Dataloop, for one user; keep it, and use it from as many threads as you like.

    Every method may raise the errors of :mod:`dataloop_sts.errors`: ``NotAuthenticated``, ``Forbidden``, ``NotFound``,
    ``Conflict``, ``BadRequest``, ``RateLimited``, ``ServerError``, ``Unreachable``, ``UnexpectedAnswer``; all are a
    ``DataloopError``. Reads, tests, updates and deletes are repeated when that may help; a create only where the first
    attempt surely did nothing, else its error has ``maybe_applied`` set.

    Source of the calls: https://gate.dataloop.ai/api/v1 (OpenAPI) and the vendor's client dtlpy.

    Args:
        api_url: ends in ``/api/v1``; https, or http to this machine itself.
        credentials: a token, or a machine-to-machine login.
        timeout: limits of each call, in seconds.
        retries: how often and after which waits a call is repeated.
        session: a ``requests`` session to use instead of one of its own.
        before_attempt: called before every attempt of a call; what it raises ends the call, and nothing is sent.

    Raises:
        InvalidSetting: the URL cannot be used.
        NotAuthenticated: the token is empty or malformed.

    Example:
        >>> client = DataloopClient.from_environment()
        >>> [integration.name for integration in client.integrations(organization_id)]
        ['acme-sts']
    """

    def __init__(
        self,
        api_url: str,
        credentials: Credentials,
        *,
        timeout: Timeouts | None = None,
        retries: Retries | None = None,
        session: requests.Session | None = None,
        before_attempt: Callable[[], None] | None = None,
    ) -> None:
        self._address = Address.parse(api_url)
        self._transport = Transport(
            is_loopback=self._address.is_loopback,
            timeouts=timeout or Timeouts(),
            retries=retries or Retries(),
            session=session,
            before_attempt=before_attempt,
        )
        self._tokens: TokenSource = (
            StaticToken(credentials)
            if isinstance(credentials, TokenCredentials)
            else MachineLogin(credentials, self._transport, self._address.gate_url)
        )

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] = os.environ, *, before_attempt: Callable[[], None] | None = None
    ) -> DataloopClient:
        """A client by DATALOOP_API_URL (default: Dataloop's own) and the token or the login of the environment.

        Raises:
            InvalidSetting: DATALOOP_API_URL cannot be used.
            NotAuthenticated: neither a token nor a whole login is set.
        """
        api_url = environ.get("DATALOOP_API_URL", "").strip() or DEFAULT_API_URL
        return cls(api_url, credentials_from_environment(environ), before_attempt=before_attempt)

    @classmethod
    def shared(
        cls, environ: Mapping[str, str] = os.environ, *, before_attempt: Callable[[], None] | None = None
    ) -> DataloopClient:
        """Like :meth:`from_environment`, but the same client for the same settings in this process.

        For callers made anew for each call, such as Pulumi's dynamic providers: one connection pool, one login.
        """
        settings = "\0".join(environ.get(name, "") for name in _SETTINGS)
        key = (os.getpid(), hashlib.sha256(settings.encode("utf-8", "surrogateescape")).hexdigest(), before_attempt)
        with _shared_lock:
            if key not in _shared:
                _shared[key] = cls.from_environment(environ, before_attempt=before_attempt)
            return _shared[key]

    def __repr__(self) -> str:
        return f"DataloopClient({self._address.api_url!r})"

    @property
    def api_url(self) -> str:
        """The API's URL, without a slash at its end."""
        return self._address.api_url

    # Who and where

    def me(self) -> User:
        """The user of the token."""
        return self._get(User, "/users/me", "the token's user")

    def organization(self, organization_id: str) -> Organization:
        """The organization, as far as the user may see it."""
        return self._get(Organization, f"/orgs/{_id(organization_id)}", f"organization {organization_id}")

    def project(self, project_id: str) -> Project:
        """The project, as far as the user may see it."""
        return self._get(Project, f"/projects/{_id(project_id)}", f"project {project_id}")

    # Integrations

    def integrations(self, organization_id: str) -> list[Integration]:
        """All integrations of the organization, of whichever type."""
        call = Call("GET", _integrations(organization_id), f"organization {organization_id}")
        answer = self._call(call)
        return models_of(Integration, json_of(answer, call), answer, call)

    def integration(self, organization_id: str, integration_id: str) -> Integration:
        """One integration."""
        path = f"{_integrations(organization_id)}/{_id(integration_id)}"
        return self._get(Integration, path, f"integration {integration_id}")

    def create_integration(self, organization_id: str, name: str, credentials: StsCredentials) -> Integration:
        """Make an integration of type ``aws-sts``; needs the rights of the organization's owner.

        Raises:
            DataloopError: with ``maybe_applied`` where the answer was lost: look for ``name`` before you repeat.
        """
        call = Call(
            "POST",
            _integrations(organization_id),
            f'integration "{name}"',
            Effect.ONCE,
            body={"type": INTEGRATION_TYPE, "name": name, "options": credentials.options()},
            secrets=(credentials.secret_access_key,),
        )
        return self._typed(Integration, call)

    def update_integration(
        self,
        organization_id: str,
        integration_id: str,
        *,
        name: str | None = None,
        credentials: StsCredentials | None = None,
    ) -> Integration:
        """Change name or credentials; None leaves as it is. Running services are told of new credentials."""
        body: dict[str, object] = {"integrationId": integration_id}
        if name is not None:
            body["name"] = name
        if credentials is not None:
            body["credentials"] = {"type": INTEGRATION_TYPE, "options": credentials.options()}
        call = Call(
            "PATCH",
            _integrations(organization_id),
            f"integration {integration_id}",
            Effect.IDEMPOTENT,
            query={"reloadServices": "true"} if credentials else {},
            body=body,
            secrets=(credentials.secret_access_key,) if credentials else (),
        )
        return self._typed(Integration, call)

    def delete_integration(self, organization_id: str, integration_id: str) -> None:
        """Delete an integration.

        Raises:
            NotFound: there was none already before this call.
        """
        path = f"{_integrations(organization_id)}/{_id(integration_id)}"
        self._delete(Call("DELETE", path, f"integration {integration_id}", Effect.IDEMPOTENT))

    # Drivers

    def drivers(self, *, project_id: str | None = None, integration_id: str | None = None) -> list[Driver]:
        """Drivers of a project, of an integration, or those that are both's."""
        query = {"projectId": project_id, "integrationId": integration_id}
        about = ", ".join(
            f"{kind} {of}" for kind, of in (("project", project_id), ("integration", integration_id)) if of
        )
        call = Call("GET", "/drivers", about or "drivers", query={key: of for key, of in query.items() if of})
        answer = self._call(call)
        return models_of(Driver, json_of(answer, call), answer, call)

    def driver(self, driver_id: str) -> Driver:
        """One driver."""
        return self._get(Driver, f"/drivers/{_id(driver_id)}", f"driver {driver_id}")

    def create_driver(self, driver: NewDriver) -> Driver:
        """Make a driver.

        Raises:
            DataloopError: with ``maybe_applied`` where the answer was lost: look for the name before you repeat.
        """
        return self._typed(Driver, Call("POST", "/drivers", f'driver "{driver.name}"', Effect.ONCE, body=driver.body()))

    def update_driver(
        self,
        driver_id: str,
        *,
        name: str | None = None,
        path: str | None = None,
        allow_delete: bool | None = None,
        integration_id: str | None = None,
    ) -> Driver:
        """Change a driver; None leaves as it is, the path "" stands for the whole bucket.

        What the answer shows need not be what took hold: read the driver afterwards.
        """
        payload: dict[str, object | None] = {
            "path": path,
            "allowExternalDelete": allow_delete,
            "integrationId": integration_id,
            "integrationType": INTEGRATION_TYPE if integration_id else None,
        }
        body: dict[str, object] = {"payload": {key: value for key, value in payload.items() if value is not None}}
        if name is not None:
            body["name"] = name
        call = Call("PATCH", f"/drivers/{_id(driver_id)}", f"driver {driver_id}", Effect.IDEMPOTENT, body=body)
        return self._typed(Driver, call)

    def delete_driver(self, driver_id: str) -> None:
        """Delete a driver; datasets on it lose their storage.

        Raises:
            NotFound: there was none already before this call.
        """
        self._delete(Call("DELETE", f"/drivers/{_id(driver_id)}", f"driver {driver_id}", Effect.IDEMPOTENT))

    def test_new_driver(self, driver: NewDriver) -> None:
        """The console's TEST before Create: the platform uses the storage as the driver would.

        Raises:
            DriverTestFailed: the storage cannot be used; ``message`` has the platform's reason.
        """
        self._test(Call("POST", "/drivers/test", f'driver "{driver.name}"', body=driver.body()))

    def test_driver(self, driver_id: str) -> None:
        """The console's TEST of a driver that exists; raises like :meth:`test_new_driver`."""
        self._test(Call("GET", f"/drivers/{_id(driver_id)}/test", f"driver {driver_id}"))

    def driver_count(self, integration_id: str) -> int:
        """How many drivers use the integration, in whichever project."""
        call = Call("GET", f"/drivers/byIntegration/{_id(integration_id)}", f"integration {integration_id}")
        answer = self._call(call)
        count = json_of(answer, call)
        if isinstance(count, bool) or not isinstance(count, int | float) or count != count // 1:
            raise UnexpectedAnswer(
                "no number of drivers", status=answer.status, method=call.method, path=call.path, resource=call.resource
            )
        return int(count)

    def datasets_of_driver(self, project_id: str, driver_id: str) -> list[Dataset]:
        """The project's datasets whose items are on the driver."""
        found: dict[str, Dataset] = {}
        for page in range(_MAX_PAGES):
            body = {
                "resource": "datasets",
                "filter": {"$and": [{"driver": driver_id}]},
                "context": {"projects": [project_id]},
                "page": page,
                "pageSize": _PAGE_SIZE,
            }
            call = Call("POST", "/datasets/query", f"datasets of driver {driver_id}", body=body)
            answer = self._call(call)
            document = json_of(answer, call)
            # A platform that does not know the filter would return every dataset: only ours count.
            datasets = models_of(Dataset, document, answer, call, page=True)
            new = {dataset.id: dataset for dataset in datasets if dataset.id not in found}
            found |= new
            if not new or not isinstance(document, dict) or not document.get("hasNextPage"):
                break
        return [dataset for dataset in found.values() if dataset.driver in (driver_id, None)]

    # How a call is made

    def _get(self, model: type[Model], path: str, resource: str) -> Model:
        return self._typed(model, Call("GET", path, resource))

    def _typed(self, model: type[Model], call: Call) -> Model:
        answer = self._call(call)
        return model_of(model, json_of(answer, call), answer, call)

    def _delete(self, call: Call) -> None:
        answer = self._exchange(call)
        if answer.status == 404 and answer.after_doubt:
            return  # an attempt whose answer was lost has done it
        self._raise_for(answer, call)

    def _test(self, call: Call) -> None:
        answer = self._exchange(call)
        try:
            self._raise_for(answer, call)
        except (NotAuthenticated, RateLimited, ServerError, UnexpectedAnswer):
            raise
        except DataloopError as error:
            # Which 4xx the platform gives when storage refuses is not documented: 403 and 404 may be the storage's.
            failed = error.recast(DriverTestFailed)
        else:
            return
        raise failed

    def _call(self, call: Call) -> Answer:
        answer = self._exchange(call)
        self._raise_for(answer, call)
        return answer

    def _exchange(self, call: Call) -> Answer:
        """The answer, whichever status; a 401 is answered by a renewed token once, where there can be one."""
        deadline = self._transport.deadline()
        token = self._tokens.current(deadline)
        answer = self._transport.exchange(call, self._address.api_url, BearerAuth(token), deadline)
        if answer.status == 401 and (renewed := self._tokens.renewed(token, deadline)):
            doubt = answer.after_doubt
            answer = self._transport.exchange(call, self._address.api_url, BearerAuth(renewed), deadline)
            answer = replace(answer, after_doubt=answer.after_doubt or doubt)
        return answer

    def _raise_for(self, answer: Answer, call: Call) -> None:
        error = error_of(answer, call, Redactor((*self._tokens.secrets(), *call.secrets)))
        if isinstance(error, NotAuthenticated) and (reason := self._tokens.explain()):
            error = error.recast(NotAuthenticated, what=f"{NotAuthenticated.what}: {reason}")
        if error:
            raise error


def _id(value: str) -> str:
    """``value`` as one segment of a path, whatever is in it.

    Raises:
        InvalidSetting: it is empty, or would lead to another resource.
    """
    if value.strip(". ") == "":
        raise InvalidSetting(f'"{value}" is not the id of anything in Dataloop.')
    return quote(value, safe="")


def _integrations(organization_id: str) -> str:
    return f"/orgs/{_id(organization_id)}/integrations"
