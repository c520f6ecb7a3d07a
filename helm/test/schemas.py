"""Whether an object is what Kubernetes, or the Prometheus Operator, takes: no unknown fields."""

import functools

import kubernetes_validate

OLDEST, NEWEST = "1.27", "1.37"  # OLDEST is also kubeVersion in Chart.yaml


@functools.cache
def operator_models():
    import cloudcoil.models.prometheus_operator.v1 as models  # takes seconds

    return models


def complaints(manifest):
    """Sentences about what is wrong with an object."""
    if manifest["apiVersion"].startswith("monitoring.coreos.com/"):
        return operator_complaints(manifest)
    found = []
    for version in (OLDEST, NEWEST):
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{version}: {'/'.join(map(str, error.path))}: {error.message}")
    return found


def operator_complaints(manifest):
    from pydantic import ValidationError

    model = getattr(operator_models(), manifest["kind"])
    try:
        read = model.model_validate(manifest)
    except ValidationError as error:
        return [str(error)]
    # The models pass over unknown fields, which are gone when it is written again.
    written = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return list(lost(manifest, written))


def lost(given, written, path=""):
    if isinstance(given, dict):
        for key, value in given.items():
            if key not in written:
                yield f"{path}/{key}: unknown"
            else:
                yield from lost(value, written[key], f"{path}/{key}")
    elif isinstance(given, list):
        for index, (one, other) in enumerate(zip(given, written, strict=True)):
            yield from lost(one, other, f"{path}/{index}")
