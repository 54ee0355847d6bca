"""The benchmark: data, episodes, training, evaluation, records, reports, and the contract of a method (``api``)."""
