# The front door. `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
export PYTHON
export UV_CONFIG_FILE := $(abspath $(VENV))/uv.toml
# What an operator's shell has set must not reach our Python.
unexport PYTHONPATH PYTHONHOME

# Further arguments for ansible-playbook: ARGS="--limit worker-1 --verbose"
ARGS ?=
INVENTORY = inventories/$(ENV)
BUILD = build/$(ENV)
PLAYBOOK = ansible-playbook --inventory $(INVENTORY) $(ARGS)

##@ The try-out on this machine: no root, no Docker

up: $(VENV)/.stack ## start Redis, workers and beat here, then prove what they promise
	@python -m settings prepare inventories/local --root .stack/local
	@scripts/up

down: ## stop the local stack; its data stays
	@scripts/local down

status: ## show the processes of the local stack
	@scripts/local status

logs: ## show the ends of the local stack's logs (FOLLOW=1 goes on)
	@scripts/local logs $(if $(FOLLOW),follow)

clean: down ## stop the local stack and delete its data and everything that was built
	@rm -rf "$$(sed -n 's/^stack_run_dir: //p' inventories/local/group_vars/all/machine.yml 2>/dev/null)"
	@rm -rf .stack build inventories/local/group_vars/all/machine.yml
	@echo "deleted .stack, build and this machine's values"

##@ The ladder, for any inventory: ENV=local, production, …

validate: _env ## are the settings well-formed, and do they contradict each other? touches nothing
	@python -m settings validate $(INVENTORY) --json $(BUILD)/validate.json

plan: validate ## what would change, file by file, live or by restart? touches nothing
	@STACK_PLAN=$(BUILD)/plan.json $(PLAYBOOK) site.yml --check --diff

deploy: _renew validate ## make it so, losing no task; again = no change
	@STACK_PLAN=$(BUILD)/deploy.json $(PLAYBOOK) site.yml

verify: validate ## does the running system keep its promises? (RESTART=1 restarts a worker, too)
	@ARGS="$(ARGS)" scripts/examine $(ENV) $(if $(RESTART),--allow-restart)

stage: validate ## render every host's files below build/ENV/HOST, the very bytes that deploy writes
	@$(PLAYBOOK) stage.yml --extra-vars stack_stage_root=$(CURDIR)/$(BUILD)
	@echo "staged in $(BUILD); it holds secrets"

##@ Changing what runs

roll: validate ## restart the processes of Celery, one after the other, drained; stops at the first that does not come back
	@$(PLAYBOOK) roll.yml

upgrade: validate ## the newest Redis of the distribution: replicas first, a master behind a failover; then verify
	@$(PLAYBOOK) upgrade.yml
	@$(MAKE) ENV=$(ENV) deploy
	@$(MAKE) ENV=$(ENV) verify

rollback: validate ## back to the release before, or to RELEASE=…; rolled like a deploy
	@$(PLAYBOOK) rollback.yml $(if $(RELEASE),--extra-vars rollback_release=$(RELEASE))

decommission: validate ## HOST=… drains, stops and leaves nothing of the stack there (DATA=delete: nor Redis' data)
	@test -n "$(HOST)" || { echo "Which host? Say HOST=…, a host of $(INVENTORY)." >&2; exit 2; }
	@python -m settings validate $(INVENTORY) --host $(HOST) >/dev/null
	@$(PLAYBOOK) decommission.yml --extra-vars 'decommission_host=$(HOST) decommission_data=$(or $(DATA),keep)'

rotate: validate ## new passwords for the users of Redis (USERS="worker producer"), both valid in between, then the old ones end
	@python -m settings rotate $(INVENTORY) begin $(foreach user,$(USERS),--user $(user))
	@$(MAKE) ENV=$(ENV) deploy
	@$(MAKE) ENV=$(ENV) verify
	@python -m settings rotate $(INVENTORY) end
	@$(MAKE) ENV=$(ENV) deploy

backup: validate ## take a backup of every Redis now, and tell what it holds
	@STACK_PLAN=$(BUILD)/backup.json $(PLAYBOOK) backup.yml

restore: validate ## put a backup back: FROM=latest, a name or a path (INSTANCE=broker); what was there stays aside
	@STACK_PLAN=$(BUILD)/restore.json $(PLAYBOOK) restore.yml \
	  --extra-vars 'restore_from="$(FROM)" restore_instance="$(INSTANCE)"'
	@$(if $(filter --check,$(ARGS)),:,$(MAKE) ENV=$(ENV) verify)

secrets: _env ## write a vault file with new passwords for ENV
	@python -m settings secrets $(INVENTORY)

certificates: _env ## issue the certificates that ENV lacks, and renew those that end soon (NEXT=1: add the next authority)
	@python -m settings certificates $(INVENTORY) $(if $(NEXT),--next)

_renew: _env
	@python -m settings certificates $(INVENTORY) --renew

##@ Servers as containers, to try the roles on: systemd, SSH, Debian 12 and 13

engine: $(VENV)/.dev ## make Docker answer, and pull or build the images of images/images.yml
	@python -m engine up

hosts: STARTS = yes
hosts: _env $(VENV)/.dev ## start the hosts of ENV as containers: make hosts ENV=staging
	@python -m engine hosts $(INVENTORY)

hosts-gone: STARTS = yes
hosts-gone: _env $(VENV)/.dev ## remove the containers of ENV
	@python -m engine remove $(INVENTORY)

##@ Proof: does it keep its promises while things break?

# Three on two cores: most of the time a test waits for what it has broken.
integration: $(VENV)/.dev ## prove every promise on the staged files, in containers (MATRIX="redis=7,8 python=3.13 transport=redis" JOBS=3)
	-@python -m engine up # once, and not by two processes; without Docker the tests say so
	@pairs=$$(python -m engine matrix "$(MATRIX)") || exit; echo "$$pairs" | while read -r pair; do \
	  MATRIX="$$pair" pytest integration_tests/promises -v -n $(or $(JOBS),3) --dist loadfile $(PYTEST) </dev/null || exit 1; done

drill: ENV := $(or $(ENV),integration)
drill: _env $(VENV)/.dev ## let faults loose for MINUTES=5 by a SEED, on containers or ENV=staging; then judge (FAULT=… COUNT=…)
	@python -m drill $(INVENTORY) --minutes $(or $(MINUTES),5) --seed $(or $(SEED),1) --rate $(or $(RATE),30) \
	  $(foreach fault,$(FAULT),--fault $(fault)) $(if $(COUNT),--count $(COUNT)) --matrix "$(MATRIX)" $(foreach setting,$(SET),--set $(setting))

load: ENV := $(or $(ENV),integration)
load: _env $(VENV)/.dev ## does it keep its objectives under load? PROFILE=smoke, in containers or ENV=local, staging (RUNS=… GENERATORS=… BASELINE=1)
	@python -m loadtests $(INVENTORY) --profile $(or $(PROFILE),smoke) --runs $(or $(RUNS),1) $(if $(BASELINE),--baseline) \
	  $(if $(GENERATORS),--generators $(GENERATORS)) --matrix "$(MATRIX)" $(foreach setting,$(SET),--set $(setting))

scaling: ENV := $(or $(ENV),integration)
scaling: _env $(VENV)/.dev ## how many workers does a RATE=… need at P95=0.2 s? sweeps WORKERS=1,2,4,6 x CONCURRENCY=4 of PROFILE=scaling in containers
	@python -m loadtests.scaling $(INVENTORY) --matrix "$(MATRIX)" $(foreach word,WORKERS CONCURRENCY PROFILE GROUP RATE P95 OUTAGE \
	  ROUNDS SECONDS TOLERANCE SEED,$(if $($(word)),--$(shell echo $(word) | tr A-Z a-z) "$($(word))")) \
	  $(foreach setting,$(SET),--set $(setting))

performance: $(VENV)/.dev ## take the figures of the last benchmarks over into docs/performance.md
	@python -m benchmarks.performance_doc --take

promises: $(VENV)/.dev ## take the figures of the last `make integration` and drills over into docs/promises.md
	@python -m integration_tests.promises_doc --take

_env: $(VENV)/.stack
	@test -n "$(ENV)" || { echo "Which inventory? Say ENV=…, one of: $$(ls inventories | tr '\n' ' ')" >&2; exit 2; }
	@test -d "$(INVENTORY)" || { python -m settings validate $(INVENTORY); exit 2; }
	@test "$(ENV)" != local || test -e $(INVENTORY)/group_vars/all/machine.yml || \
	  python -m settings prepare $(INVENTORY) --root .stack/local
	@! grep -qs machine_addresses $(INVENTORY)/hosts.yml || test -e $(INVENTORY)/group_vars/all/machine.yml -o -n "$(STARTS)" || \
	  { echo "The hosts of $(INVENTORY) are containers of this machine: make hosts ENV=$(ENV) starts them." >&2; exit 2; }
	@mkdir -p $(BUILD)

##@ Work on this repository

test: $(VENV)/.dev ## run every test, the fast ones first; TESTS=unit_tests runs a part
	@$(if $(TESTS),pytest $(TESTS) -ra,$(MAKE) _test_fast integration _test_slow)

_test_fast:
	@pytest unit_tests $(addprefix integration_tests/,settings backup) -ra -n 2 --dist loadfile

# One after the other: on two cores hosts and local take as long side by side, and verify finds the hosts too slow.
_test_slow:
	@pytest $(addprefix integration_tests/,drill load local hosts) -ra

lint: $(VENV)/.dev ## ruff, mypy, yamllint, ansible-lint and the drift of generated files
	@ruff format --check .
	@ruff check .
	@mypy
	@yamllint --strict .
	@ANSIBLE_INVENTORY=inventories/production ansible-lint --offline --strict
	@python -m settings generate --check
	@python -m integration_tests.promises_doc --check
	@python -m benchmarks.performance_doc --check

generate: $(VENV)/.dev ## write docs/settings.md, docs/rules.md and the roles' defaults from settings/
	@python -m settings generate
	@python -m integration_tests.promises_doc
	@python -m benchmarks.performance_doc

benchmark: $(VENV)/.dev ## measure what the project promises of its speed, each figure against its rival (ONLY="stage generator profiles converge")
	@python -m benchmarks $(ONLY)

requirements: $(VENV)/.dev ## pin requirements/*.txt anew, with hashes
	@for name in uv stack dev worker worker-plus locust; do \
	  case $$name in *-plus) python=3.13 ;; *) python=3.11 ;; esac; \
	  uv pip compile --quiet --universal --upgrade --generate-hashes --python-version $$python --no-emit-index-url \
	    --no-annotate --custom-compile-command "make requirements" requirements/$$name.in -o requirements/$$name.txt || exit 1; done

help: ## list these targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

$(VENV)/.stack: requirements/uv.txt requirements/stack.txt | scripts/bootstrap
	@test -e $(VENV)/.dev -a requirements/dev.txt -ot $(VENV)/.dev && touch $@ || scripts/bootstrap $(VENV) requirements/stack.txt

# dev holds stack: one environment serves both
$(VENV)/.dev: requirements/uv.txt requirements/dev.txt | scripts/bootstrap
	@scripts/bootstrap $(VENV) requirements/dev.txt
	@touch $(VENV)/.stack

.PHONY: up down status logs clean validate plan deploy verify stage backup restore secrets certificates test lint generate benchmark requirements help \
  engine hosts hosts-gone integration drill load scaling promises performance _env _renew
