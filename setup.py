"""Package metadata is in setup.cfg; here is only what it cannot say: the folder `models` is data of the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["xaug", "xaug.*"]), "xaug.models"],
    package_dir={"xaug.models": "models"},
    package_data={"xaug.models": ["*/*", "*/*/*"]},
)
