"""Package metadata is in setup.cfg; here is what it cannot say, that the folder `models` is data of the package.

All package data is here: where `package_data` is given here, that of setup.cfg does not count.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["xaug", "xaug.*"]), "xaug.models"],
    package_dir={"xaug.models": "models"},
    package_data={
        "xaug": ["py.typed"],
        "xaug.data": ["tables_0_1.json"],
        "xaug.generate": ["cards/*.cmnd"],
        "xaug.report": ["templates/*"],
        "xaug.models": ["*.md", "*/*", "*/*/*"],
    },
)
