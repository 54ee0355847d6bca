# The README's two commands. Each does all its set-up: a virtual environment in .venv, and the pinned packages.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
ONESHOT := $(VENV)/bin/oneshot
DATA := data/embedded

# without the compiled files of Python's modules every start takes twice as long; installation leaves them to be made
unexport PYTHONDONTWRITEBYTECODE

.PHONY: installed table test fast bench gpu golden same faults damage long lock sbom lint types tree docs python clean

table: $(VENV)/installed
	$(ONESHOT) data synthesize $(DATA)
	$(ONESHOT) run --data $(DATA) --preset quick

# --dist loadfile: a file's fixtures are made once; in the order of tests/conftest.py, not of the number of tests in a file
test: $(VENV)/installed
	$(VENV)/bin/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# what takes seconds is left out: for every save of a file
fast: $(VENV)/installed
	$(VENV)/bin/python -m pytest --numprocesses auto --dist loadfile -m "not slow"

bench: $(VENV)/installed
	$(VENV)/bin/python -m pytest tests/benchmarks --benchmark-only

# the golden numbers made anew: after a change of numbers that is wanted
golden: $(VENV)/installed
	$(VENV)/bin/python -m tests.golden --accept

# one small table in every way that must give the same records, and in some that need not
same: $(VENV)/installed
	$(VENV)/bin/python -m tests.sameness

# half an hour: FAULTS has further arguments, as in make faults FAULTS='--moments 10 --only "run killed"'
faults: $(VENV)/installed
	$(VENV)/bin/python -m tests.faults $(FAULTS)

# a few minutes: DAMAGE has further arguments, as in make damage DAMAGE='--kind store --seed 1'
damage: $(VENV)/installed
	$(VENV)/bin/python -m tests.damage $(DAMAGE)

# a quarter of an hour: two hundred rows in one process, and signals at moments of real runs
long: $(VENV)/installed
	$(VENV)/bin/python -m tests.endurance
	$(VENV)/bin/python -m tests.interrupts

# ten minutes on a machine with one GPU: into results/gpu. An interpreter whose torch finds it is used as it is; GPU has
# further arguments, as in make gpu PYTHON=python3 GPU='--minutes 5'
gpu:
	if $(PYTHON) -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then \
	  $(PYTHON) -m tests.gpu $(GPU); \
	else \
	  $(MAKE) $(VENV)/installed && $(VENV)/bin/python -m tests.gpu $(GPU); \
	fi

# requirements.lock anew, after a change of constraints.txt: every package of every system, with the hashes of its files
lock: $(VENV)/tools/installed
	{ grep '^#' requirements.lock; \
	  $(VENV)/tools/bin/uv pip compile --quiet --universal --python-version 3.11.5 --all-extras \
	    --constraint constraints.txt --generate-hashes --no-annotate --no-header --no-build \
	    pyproject.toml; } > $(VENV)/lock
	mv $(VENV)/lock requirements.lock

# sbom.json: the packages of requirements.lock in CycloneDX's form
sbom: $(VENV)/installed $(VENV)/tools/installed
	$(VENV)/tools/bin/cyclonedx-py requirements --output-reproducible --output-file sbom.json requirements.lock
	$(VENV)/bin/python -m tests.sbom sbom.json

$(VENV)/tools/installed:
	$(PYTHON) -m venv $(VENV)/tools
	$(VENV)/tools/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 cyclonedx-bom==7.5.0
	touch $@

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

# the folders of the root in one package, as they are once installed: for what reads code and does not run it
tree:
	rm -rf $(VENV)/types && mkdir -p $(VENV)/types/mmact_oneshot
	for each in mmact_oneshot/*.py harness methods baselines; do ln -s $(CURDIR)/$$each $(VENV)/types/mmact_oneshot/; done

types: $(VENV)/installed tree
	MYPYPATH=$(VENV)/types $(VENV)/bin/mypy --package mmact_oneshot --package tests

# the site, in site/
docs: $(VENV)/docs-installed tree
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13), "Python 3.11 to 3.13 is needed; name it: make PYTHON=python3.11 ..."'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

installed: $(VENV)/installed

# the interpreter that the environment is made with
python:
	@echo $(PYTHON)

$(VENV)/docs-installed: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) data runs store site sbom.json
