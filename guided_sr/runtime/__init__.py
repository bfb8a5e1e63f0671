"""The one place for what differs between backends and machines."""

from guided_sr.runtime.compiled import compiled_call, compiles_each_size, jit_compile
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
    "compiles_each_size",
    "device_scope",
    "first_device",
    "framework_versions",
    "jit_compile",
    "list_devices",
    "resolve_precision",
    "several_devices",
]
