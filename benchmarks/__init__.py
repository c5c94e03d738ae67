"""How fast wayline is beside its peers: pairs of measurements on the same rows, reported as ratios.

``python -m benchmarks NAME`` runs ``bench_NAME.py`` under pytest-benchmark and turns its pairs into ratios.
Machines differ and are busy, so only ratios of medians within one run count.
"""
