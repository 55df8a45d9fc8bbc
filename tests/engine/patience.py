"""How Hypothesis treats the engine: without time limits, since the machine may be busy with other tests."""

from hypothesis import HealthCheck, settings

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
