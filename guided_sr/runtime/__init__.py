"""The one place for what differs between backends and machines."""

from guided_sr.runtime.compiled import compiled_call, jit_compile, new_sizes_cost
from guided_sr.runtime.device import (
    device_scope,
    first_device,
    framework_versions,
    list_devices,
)
from guided_sr.runtime.distribution import several_devices
from guided_sr.runtime.precision import resolve_precision

__all__ = [
    "compiled_call",
    "device_scope",
    "first_device",
    "framework_versions",
    "jit_compile",
    "list_devices",
    "new_sizes_cost",
    "resolve_precision",
    "several_devices",
]
