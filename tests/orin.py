"""The files in which the kernel of a Jetson AGX Orin shows its state, as a tree in a folder of the test."""

from __future__ import annotations

from pathlib import Path

ORIN = {
    "sys/class/devfreq/17000000.gpu/device/of_node/name": "ga10b\0",
    "sys/class/devfreq/17000000.gpu/device/load": "437",
    "sys/class/devfreq/17000000.gpu/cur_freq": "1020000000",
    "sys/class/devfreq/17000000.gpu/max_freq": "1300500000",
    "sys/class/devfreq/17000000.gpu/available_frequencies": "306000000 612000000 1020000000 1300500000",
    "sys/class/devfreq/15340000.vic/device/of_node/name": "vic\0",
    "sys/class/devfreq/15340000.vic/cur_freq": "115200000",
    "proc/meminfo": "MemTotal:       31457280 kB\nMemFree:         1048576 kB\nMemAvailable:   20971520 kB\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": "48500",
    "sys/class/thermal/thermal_zone0/trip_point_0_type": "critical",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp": "104500",
    "sys/class/thermal/thermal_zone0/trip_point_1_type": "passive",
    "sys/class/thermal/thermal_zone0/trip_point_1_temp": "99000",
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal",
    "sys/class/thermal/thermal_zone1/temp": "51250",
    "sys/class/thermal/thermal_zone2/type": "cv0-thermal",
    "sys/class/thermal/thermal_zone2/temp": "-256000",
    "sys/class/thermal/cooling_device0/type": "pwm-fan",
    "sys/class/thermal/cooling_device0/cur_state": "2",
    "sys/class/thermal/cooling_device1/type": "gpu-throttle-alert",
    "sys/class/thermal/cooling_device1/cur_state": "0",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/in1_label": "VDD_GPU_SOC",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/in1_input": "19000",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/curr1_input": "400",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/in2_label": "VDD_CPU_CV",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/in2_input": "19000",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/curr2_input": "100",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/in7_label": "sum of shunt voltages",
    "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/in7_input": "2",
    "sys/bus/i2c/devices/1-0041/hwmon/hwmon4/in2_label": "VIN_SYS_5V0",
    "sys/bus/i2c/devices/1-0041/hwmon/hwmon4/in2_input": "5000",
    "sys/bus/i2c/devices/1-0041/hwmon/hwmon4/curr2_input": "800",
    "var/lib/nvpmodel/status": "pmode:0000 fmode:fanNull",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=2 NAME=MODE_30W >\n",
}


def tree(root: Path, **changes: str) -> Path:
    """The files of an AGX Orin below `root`; `changes` by the end of a path, `__` for `/`."""
    for name, content in ORIN.items():
        for suffix, other in changes.items():
            content = other if name.endswith(suffix.replace("__", "/")) else content
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root
