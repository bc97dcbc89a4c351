"""Models that several folders of tests ask."""

import pytest


@pytest.fixture(scope="session")
def smollm2():
    from explicate.errors import MissingDependencyError
    from explicate.models import zoo

    try:
        return zoo.load("smollm2-135m")
    except MissingDependencyError as error:
        pytest.skip(str(error))
