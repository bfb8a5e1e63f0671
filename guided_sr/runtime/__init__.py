"""The one place for what differs between backends and machines."""

from guided_sr.runtime.compiled import (
    compiled,
    compiled_call,
    jit_compile,
    new_sizes_cost,
    single_images_are_slow,
)
from guided_sr.runtime.device import (
    device_scope,
    first_device,
    framework_versions,
    list_devices,
)
from guided_sr.runtime.distribution import several_devices
from guided_sr.runtime.precision import resolve_precision

__all__ = [
    "compiled",
    "compiled_call",
    "device_scope",
    "first_device",
    "framework_versions",
    "jit_compile",
    "list_devices",
    "new_sizes_cost",
    "resolve_precision",
    "several_devices",
    "single_images_are_slow",
]
