"""The GraphQL operations of the 0.31 client that sweeps, agents and runs need, by their names."""

import json
import secrets

ENTITY, PROJECT = "team", "uncategorized"


def viewer(store, asked):
    """Who asks."""
    one = {"id": "1", "entity": ENTITY, "username": ENTITY, "email": "", "name": ENTITY, "admin": False}
    return {
        "viewer": {**one, "flags": "{}", "teams": {"edges": [{"node": {"name": ENTITY}}]}, "apiKeys": {"edges": []}}
    }


def server_features(store, asked):
    """None of the later ones."""
    return {"serverInfo": {"features": []}}


def weave_organization(store, asked):
    """None."""
    return {"entity": {"organization": {"coreWeaveOrganizationId": None}}}


def upsert_sweep(store, asked):
    """Make a sweep, or set the state of one."""
    if asked.get("id"):
        sweep = store.sweeps[asked["id"]]
        sweep.state = asked.get("state") or sweep.state
    else:
        sweep = store.new_sweep(asked["entityName"] or ENTITY, asked["projectName"] or PROJECT, asked["config"])
    found = {"name": sweep.id, "project": _project(sweep.entity, sweep.project)}
    return {"upsertSweep": {"sweep": found, "configValidationWarnings": []}}


def sweep_with_runs(store, asked):
    """What an agent reads of its sweep: the command."""
    sweep = store.sweeps[asked["sweep"]]
    found = {"id": sweep.id, "name": sweep.id, "method": sweep.config["method"], "state": sweep.state}
    return {"project": {"sweep": {**found, "config": sweep.text, "runs": {"edges": []}}}}


def create_agent(store, asked):
    """Register an agent."""
    name = secrets.token_hex(4)
    store.agents[name] = store.sweeps[asked["sweep"]]
    return {"createAgent": {"agent": {"id": name}}}


def heartbeat(store, asked):
    """What an agent is to do next: stop a run, start one while it has none, or leave when the grid is through."""
    sweep, running = store.agents[asked["id"]], json.loads(asked["runState"])
    commands = [{"type": "stop", "run_id": name} for name in running if name in store.to_stop]
    point = None if running else sweep.next_point()
    if point is not None:
        args = {key: {"value": value} for key, value in point.items()}
        name = store.hand_out(sweep, point).id
        commands.append({"type": "run", "run_id": name, "program": sweep.config["program"], "args": args})
    elif not running:
        commands.append({"type": "exit"})
    return {"agentHeartbeat": {"agent": {"id": asked["id"]}, "commands": json.dumps(commands)}}


def upsert_run(store, asked):
    """Make a run or add to what is known of it."""
    run = store.run(asked["entity"] or ENTITY, asked["project"] or PROJECT, asked["name"])
    new = run.state == "pending"
    run.told |= {key: value for key, value in asked.items() if value is not None}
    run.state = "running"
    found = {"id": run.id, "name": run.id, "displayName": run.name, "config": run.told.get("config")}
    found |= {"description": None, "sweepName": run.sweep, "historyLineCount": len(run.history)}
    return {"upsertBucket": {"bucket": {**found, "project": _project(run.entity, run.project)}, "inserted": new}}


def resume_status(store, asked):
    """How far a run is that somebody wants to go on with."""
    run = store.runs.get(asked["name"])
    entity, project = asked["entity"] or ENTITY, asked["project"] or PROJECT
    return {"model": {**_project(entity, project), "bucket": None if run is None else _progress(run)}}


def _progress(run):
    found = {"id": run.id, "name": run.id, "displayName": run.name, "config": run.told.get("config"), "tags": []}
    found |= {"notes": None, "wandbConfig": "{}", "summaryMetrics": json.dumps(run.summary)}
    found |= {"historyLineCount": len(run.history), "logLineCount": 0, "eventsLineCount": 0}
    return found | {"historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]), "eventsTail": "[]"}


def create_run_files(store, asked):
    """Where to put the files of a run."""
    run = store.runs[asked["run"]]
    files = [{"name": name, "uploadUrl": f"{store.url}/storage/{run.id}/{name}"} for name in asked["files"]]
    return {"createRunFiles": {"runID": run.id, "uploadHeaders": [], "files": files}}


def artifact_type(store, asked):
    """None: there is no artifact of that name yet."""
    return {"project": {"artifact": None}}


def create_artifact(store, asked):
    """Make an artifact of a run."""
    given = asked["input"]
    artifact = store.new_artifact(given["runName"], given["artifactCollectionName"], given["artifactTypeName"])
    found = {"id": artifact.id, "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
    return {"createArtifact": {"artifact": found}}


def create_artifact_manifest(store, asked):
    """Where to put the list of an artifact's files."""
    artifact = store.artifacts[asked.get("artifactID") or asked["input"]["artifactID"]]
    url = f"{store.url}/storage/{artifact.id}/manifest"
    file = {"id": artifact.id, "name": "manifest", "displayName": "manifest", "uploadUrl": url, "uploadHeaders": []}
    return {"createArtifactManifest": {"artifactManifest": {"id": artifact.id, "file": file}}}


def create_artifact_files(store, asked):
    """Where to put the files of an artifact."""
    files = asked.get("artifactFiles") or asked["input"]["artifactFiles"]
    edges = []
    for one in files:
        artifact = store.artifacts[one["artifactID"]]
        url = f"{store.url}/storage/{artifact.id}/{one['name']}"
        node = {"id": one["name"], "name": one["name"], "displayName": one["name"], "uploadUrl": url}
        node |= {"uploadHeaders": [], "uploadMultipartUrls": None, "storagePath": None, "artifact": {"id": artifact.id}}
        edges.append({"node": node})
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def commit_artifact(store, asked):
    """An artifact is whole."""
    name = asked.get("artifactID") or asked["input"]["artifactID"]
    store.artifacts[name].state = "COMMITTED"
    return {"commitArtifact": {"artifact": {"id": name, "digest": "0"}}}


def artifact_by_id(store, asked):
    """What a client that waits for its artifact is told of it."""
    artifact = store.artifacts[asked["id"]]
    run = store.runs[artifact.run]
    project = {"id": "1", "internalId": "1", "name": run.project, "entity": {"name": run.entity}}
    collection = {"__typename": "ArtifactSequence", "name": artifact.name, "project": project}
    alias = {"__typename": "ArtifactAlias", "id": "1", "alias": "latest", "artifactCollection": collection}
    found = {"__typename": "Artifact", "id": artifact.id, "artifactSequence": collection, "versionIndex": 0}
    found |= {"artifactType": {"name": artifact.type}, "description": None, "metadata": None, "tags": []}
    found |= {"ttlDurationSeconds": -1, "ttlIsInherited": False, "historyStep": None, "state": artifact.state}
    found |= {"size": sum(map(len, artifact.files.values())), "digest": "0", "commitHash": "0"}
    found |= {"fileCount": len(artifact.files), "createdAt": "2026-01-01T00:00:00Z", "updatedAt": None}
    return {"artifact": {**found, "aliases": [alias]}}


def _project(entity, project):
    return {"id": project, "name": project, "entity": {"id": entity, "name": entity}}


OPERATIONS = {
    "Viewer": viewer,
    "ServerFeaturesQuery": server_features,
    "OrganizationCoreWeaveOrganizationID": weave_organization,
    "UpsertSweep": upsert_sweep,
    "SweepWithRuns": sweep_with_runs,
    "CreateAgent": create_agent,
    "Heartbeat": heartbeat,
    "UpsertBucket": upsert_run,
    "RunResumeStatus": resume_status,
    "CreateRunFiles": create_run_files,
    "ArtifactType": artifact_type,
    "CreateArtifact": create_artifact,
    "CreateArtifactManifest": create_artifact_manifest,
    "CreateArtifactFiles": create_artifact_files,
    "CommitArtifact": commit_artifact,
    "ArtifactByID": artifact_by_id,
}
