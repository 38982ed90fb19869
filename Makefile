# `make` alone prints this list. Every target sets the environment up first where that is needed.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
PY := .venv/bin/python
LAB := $(PY) -m lab

# What is given to make is data: make does not expand it (`value`, `unexport`), and the shell gets it in quotes.
GIVEN := NAME SET KNOB TRIALS SEED SCALE RUNTIME LOAD_WORKERS LOAD_MASTER MASTER RUN RUNS CA_BUNDLE SERVICES PROFILES PORTS \
         NAMES PREDICT RECORDS TARGET TOUCHED FRESH MUTANT WITHIN_S PIN PYTHON SEEDS FROM
unexport $(GIVEN)
define newline


endef
quoted = '$(subst ','\'',$(subst $(newline), ,$(value $(1))))'
all-quoted = $(foreach each,$(value $(1)),'$(subst ','\'',$(each))')
option = $(if $(value $(2)),$(1) $(call quoted,$(2)))
flag = $(if $(value $(2)),$(1))

# What fails has said why. Make is told to end there (SIGQUIT: exit code 1, no message of its own), so that it does not add
# `make: *** [Makefile:50: scenario] Error 1`. The shell outlives Ctrl-C so that it can; then the lab has stopped everything.
# Where SIGQUIT is ignored, as in what a script starts with `&`, make prints its line, and the exit code is not lost.
hears-quit = ! (sh -c 'ulimit -c 0; kill -QUIT $$$$'; exit $$?) 2>/dev/null
quietly = trap : HUP INT TERM; $(1) || { code=$$?; $(hears-quit) || exit $$code; kill -QUIT $$PPID; sleep 0.5; }

# A variable that nothing here reads is a mistake: silently ignored, it would seem to have worked.
UNKNOWN := $(filter-out $(GIVEN) SHELL LAB_% GRAFANA_URL DOCKER_HOST,\
           $(foreach each,$(.VARIABLES),$(if $(filter command,$(origin $(each))),$(each))))
ifneq ($(strip $(UNKNOWN)),)
$(shell $(call quoted,PYTHON) scripts/make_variables.py $(call all-quoted,UNKNOWN) -- $(GIVEN); kill -QUIT $$PPID; sleep 0.5)
$(error nothing was run)
endif

# make scenario NAME=circuit-breaker SET="load.per_s=80 fault.lasts_s=30" TRIALS=3 SEED=7 SCALE=0.5 RUNTIME=local LOAD_WORKERS=2
FLAGS = $(call option,--set,SET) $(call option,--trials,TRIALS) $(call option,--seed,SEED) $(call option,--scale,SCALE) \
        $(call option,--runtime,RUNTIME) $(call option,--load-workers,LOAD_WORKERS) \
        $(call option,--load-master,LOAD_MASTER)

.PHONY: help
help: ## Show what there is to type
	@echo 'make <target>, one of:'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | awk -F'\t' '{printf "  %-14s %s\n", $$1, $$2}'
	@echo
	@echo 'Begin with: make scenario NAME=circuit-breaker'

.PHONY: setup
setup: ## Set up .venv for running (the others do it when needed)
	@$(call quietly,$(call quoted,PYTHON) scripts/bootstrap.py)

.PHONY: setup-dev
setup-dev: ## Set up .venv for developing and testing
	@$(call quietly,$(call quoted,PYTHON) scripts/bootstrap.py --dev)

.PHONY: scenario
scenario: setup ## Run one experiment: NAME=... [PREDICT=1 SET= TRIALS= SEED= SCALE= RUNTIME= LOAD_WORKERS=]
	@$(call quietly,$(LAB) run $(call flag,--predict,PREDICT) $(FLAGS) $(call option,--,NAME))

.PHONY: predict
predict: setup ## Guess an experiment's numbers without running it: NAME=...
	@$(call quietly,$(LAB) predict $(call option,--,NAME))

.PHONY: sweep
sweep: setup ## Run an experiment at several values of a knob: NAME=... KNOB="on:exchange.BREAKER_OPEN_S=1,2,5" [SET= TRIALS= SEED= FRESH=1]
	@$(call quietly,$(LAB) sweep $(call option,--knob,KNOB) $(call option,--set,SET) $(call option,--trials,TRIALS) \
		$(call option,--seed,SEED) $(call option,--scale,SCALE) $(call option,--runtime,RUNTIME) \
		$(call flag,--fresh,FRESH) $(call option,--,NAME))

.PHONY: scenarios
scenarios: setup ## Run the whole catalogue, one after another
	@$(call quietly,$(LAB) run --all $(FLAGS))

.PHONY: load-worker
load-worker: setup ## Carry load for a lab on another machine: MASTER=HOST:PORT
	@$(call quietly,$(LAB) load-worker --master $(call quoted,MASTER))

.PHONY: list
list: setup ## The catalogue and its last verdicts; RUNS=1 for the runs too
	@$(call quietly,$(LAB) list $(call flag,--runs,RUNS))

.PHONY: show
show: setup ## One experiment before it runs: NAME=..., or what a target or fault takes: TARGET=exchange
	@$(call quietly,$(if $(value TARGET),$(PY) scripts/reference_page.py $(call quoted,TARGET),$(LAB) show $(call option,--,NAME)))

.PHONY: judge
judge: setup ## Judge a saved run again: RUN=circuit-breaker for its last one
	@$(call quietly,$(LAB) judge $(call option,--,RUN))

.PHONY: report
report: setup ## Write the report of a saved run again: RUN=...
	@$(call quietly,$(LAB) report $(call option,--,RUN))

.PHONY: compare
compare: setup ## Set two or more saved runs side by side: RUNS="... ..."
	@$(call quietly,$(LAB) compare -- $(call all-quoted,RUNS))

.PHONY: doctor
doctor: setup ## What is installed, what is missing and how to get it
	@$(call quietly,$(LAB) doctor)

.PHONY: renew
renew: setup ## Fetch the servers in .lab anew; `make doctor` tells how old they are
	@$(call quietly,$(LAB) renew)

.PHONY: heal
heal: setup ## Remove faults and processes that a crashed run left
	@$(call quietly,$(LAB) heal)

.PHONY: up
up: setup ## Toxiproxy, Prometheus and Grafana in containers
	@$(call quietly,$(LAB) up)

.PHONY: down
down: setup ## Stop them; their data stay
	@$(call quietly,$(LAB) down)

.PHONY: images
images: setup ## The images for containers, pulled and built [CA_BUNDLE=]; PIN=1 writes their digests down
	@$(call quietly,$(if $(value CA_BUNDLE),CA_BUNDLE=$(call quoted,CA_BUNDLE)) $(LAB) images $(call flag,--pin,PIN) -- $(call all-quoted,SERVICES))

.PHONY: images-debian
images-debian: setup ## The same without a registry, from Debian packages
	@$(call quietly,$(if $(value CA_BUNDLE),CA_BUNDLE=$(call quoted,CA_BUNDLE)) $(LAB) images --debian -- $(call all-quoted,SERVICES))

.PHONY: stack
stack: setup ## The file for `docker stack deploy` [PROFILES="exchange raft" PORTS=host]
	@$(call quietly,$(LAB) stack $(foreach profile,$(call all-quoted,PROFILES),--profile $(profile)) $(call option,--ports,PORTS))

# pytest-xdist 3.8 may hang when a worker crashes, since its remaining tests are not reassigned: end the run instead.
.PHONY: test
test: setup-dev ## The whole test suite, with coverage
	@$(call quietly,$(PY) -m pytest -m alone)
	@$(call quietly,$(PY) -m coverage erase)
	@$(call quietly,$(PY) -m coverage run -m pytest -n 4 --max-worker-restart=0 --dist loadfile --no-loadscope-reorder -m "not alone")
	@$(call quietly,$(PY) -m coverage combine -q)
	@$(call quietly,$(PY) -m coverage report)

.PHONY: unit
unit: setup-dev ## Only the quick tests
	@$(call quietly,$(PY) -m pytest -q -m 'not e2e')

.PHONY: sabotage
sabotage: setup-dev ## Break what a PASS rests on: [NAMES="circuit-breaker ..." RECORDS=1 TOUCHED=1 FRESH=1 MUTANT= WITHIN_S=]
	@$(call quietly,$(LAB) sabotage $(call flag,--records,RECORDS) $(call flag,--touched,TOUCHED) $(call flag,--fresh,FRESH) \
		$(foreach mutant,$(call all-quoted,MUTANT),--mutants $(mutant)) $(call option,--within-s,WITHIN_S) \
		-- $(call all-quoted,NAMES))

.PHONY: evidence
evidence: setup ## What several runs say of every claim: [NAMES="circuit-breaker ..." SEEDS=3 RUNTIME= FRESH=1 FROM=reports]
	@$(call quietly,$(LAB) evidence $(call option,--seeds,SEEDS) $(call option,--runtime,RUNTIME) $(call flag,--fresh,FRESH) \
		$(foreach folder,$(call all-quoted,FROM),--from $(folder)) -- $(call all-quoted,NAMES))

.PHONY: benchmark
benchmark: setup-dev ## How fast and exact load generator, fault proxy and checker are
	@$(call quietly,$(PY) -m benchmarks.open_model)
	@$(call quietly,$(PY) -m benchmarks.proxy)
	@$(call quietly,$(PY) -m benchmarks.checker)

.PHONY: check
check: setup-dev ## Lint, format and types
	@$(call quietly,$(PY) -m ruff check .)
	@$(call quietly,$(PY) -m ruff format --check .)
	@$(call quietly,$(PY) -m mypy)

.PHONY: format
format: setup-dev ## Format the code
	@$(call quietly,$(PY) -m ruff check --fix-only -q .)
	@$(call quietly,$(PY) -m ruff format -q .)

.PHONY: dashboards
dashboards: setup-dev ## Write Grafana's dashboards anew from the scenarios
	@$(call quietly,$(PY) -m lab.dashboards)

.PHONY: metrics
metrics: setup-dev ## Write docs/metrics.md anew from the docstrings of the metrics
	@$(call quietly,$(PY) scripts/metrics_page.py)

.PHONY: reference
reference: setup-dev ## Write docs/reference.md anew from the targets' settings and the faults' arguments
	@$(call quietly,$(PY) scripts/reference_page.py)

.PHONY: lock
lock: ## Write the lock files anew from pyproject.toml (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -c requirements.lock --extra dev pyproject.toml -o requirements-dev.lock
	$(call quoted,PYTHON) scripts/targets_lock.py

.PHONY: toxiproxy
toxiproxy: ## Build the real Toxiproxy 2.12 into .lab/bin (needs Go)
	@command -v go >/dev/null || { echo 'make toxiproxy needs Go (apt-get install golang, brew install go)'; exit 3; }
	@mkdir -p .lab/bin
	GOBIN=$(CURDIR)/.lab/bin go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0
	GOBIN=$(CURDIR)/.lab/bin go install github.com/Shopify/toxiproxy/v2/cmd/cli@v2.12.0
	@mv .lab/bin/server .lab/bin/toxiproxy-server && mv .lab/bin/cli .lab/bin/toxiproxy-cli
	@.lab/bin/toxiproxy-server -version

.PHONY: clean
clean: ## Remove the environment, fetched servers and caches (reports stay)
	rm -rf .venv .lab .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.*
