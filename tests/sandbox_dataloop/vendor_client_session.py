"""What a user of the vendor's client dtlpy does with a connection; run as a process of its own by the test.

Reads from the environment: API_URL, GATE_URL, TOKEN, MACHINE_USERNAME, MACHINE_PASSWORD, ORG_ID, PROJECT_ID, BUCKET,
KEY, SECRET, ROLE_ARN, and DATALOOP_PATH for the client's own files. Writes a JSON object of what it saw.
"""

from __future__ import annotations

import json
import os
import sys

import dtlpy as dl

env = os.environ
seen: dict[str, object] = {}

dl.client_api.add_environment(
    environment=env["API_URL"], gate_url=env["GATE_URL"], verify_ssl=False, token=env["TOKEN"]
)
dl.setenv(env["API_URL"])
seen["token_expired"] = dl.token_expired()

organization = dl.organizations.get(organization_id=env["ORG_ID"])
seen["organization"] = organization.id
seen["organization_by_name"] = dl.organizations.get(organization_name=organization.name).id
seen["organizations"] = [one.id for one in dl.organizations.list()]
project = dl.projects.get(project_id=env["PROJECT_ID"])
seen["project"] = project.id
seen["project_by_name"] = dl.projects.get(project_name=project.name).id
seen["projects"] = [one.id for one in dl.projects.list()]

options = {"key": env["KEY"], "secret": env["SECRET"], "roleArns": env["ROLE_ARN"]}
integration = project.integrations.create(
    integrations_type=dl.IntegrationType.AWS_STS, name="by-dtlpy", options=options
)
seen["integration_type"] = project.integrations.get(integrations_id=integration.id).type
seen["integrations"] = [one["name"] for one in project.integrations.list()]
updated = project.integrations.update(
    integrations_id=integration.id, new_name="renamed", new_options=options, reload_services=True
)
seen["integration_name"] = updated.name
seen["integration_was_written_again"] = updated.update_at > integration.update_at
seen["integrations_of_organization"] = [one["name"] for one in organization.integrations.list()]

driver = project.drivers.create(
    name="driver",
    driver_type=dl.ExternalStorage.S3,
    integration_id=integration.id,
    integration_type=dl.IntegrationType.AWS_STS,
    bucket_name=env["BUCKET"],
    region="us-east-1",
    path="raw/",
    allow_external_delete=False,
)
fetched = project.drivers.get(driver_id=driver.id)
seen["driver"] = [fetched.name, fetched.bucket_name, fetched.path, fetched.region, fetched.allow_external_delete]
seen["driver_class"] = type(fetched).__name__
seen["driver_by_name"] = project.drivers.get(driver_name="driver").id == driver.id
seen["drivers"] = [one.name for one in project.drivers.list()]
# The client has no method for the TEST, only the raw request.
seen["driver_test"] = dl.client_api.gen_request(req_type="get", path=f"/drivers/{driver.id}/test")[1].status_code

dataset = project.datasets.create(dataset_name="dataset", driver=driver)
filters = dl.Filters(resource=dl.FiltersResource.DATASET)
filters.add(field="driver", values=driver.id)
seen["datasets_of_driver"] = [one.name for one in project.datasets.list(filters=filters)]
seen["dataset_deleted"] = project.datasets.delete(dataset_id=dataset.id, sure=True, really=True)

try:
    project.integrations.delete(integrations_id=integration.id, sure=True, really=True)
except dl.exceptions.Conflict as error:
    seen["delete_in_use"] = error.message
seen["driver_deleted"] = project.drivers.delete(driver_id=driver.id, sure=True, really=True)
try:
    project.drivers.get(driver_id=driver.id)
except dl.exceptions.NotFound as error:
    seen["driver_gone"] = error.message
seen["integration_deleted"] = project.integrations.delete(integrations_id=integration.id, sure=True, really=True)
seen["integrations_left"] = list(project.integrations.list())

seen["machine_login"] = dl.login_m2m(email=env["MACHINE_USERNAME"], password=env["MACHINE_PASSWORD"])
seen["machine_user"] = dl.info()["user_email"]
seen["machine_refresh"] = dl.client_api.renew_token()
seen["project_of_machine"] = dl.projects.get(project_id=env["PROJECT_ID"]).id

sys.stdout.write("\n" + json.dumps(seen) + "\n")
sys.stdout.flush()
# The client leaves threads behind that would keep the process for seconds.
os._exit(0)
