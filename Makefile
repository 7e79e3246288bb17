# One command each: `make run` serves, `make test` tests. Both set up what they need first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install page kernel run test test-long test-e2e lint check-python lint-page check-page bench format docs screenshots clean

help: ## List these targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## Set up .venv with all that developing and testing need
	@$(PYTHON) start.py install dev $(if $(TORCH),--torch $(TORCH))

page: install ## Build the page into hamlet_trio/web/page/, unless it is up to date
	@$(BIN)/python frontend/tooling.py build

kernel: install ## Compile the world's kernel, unless it is up to date; without a C compiler numpy does its work
	@$(BIN)/python -m hamlet_trio.world.kernel_build

run: ## Set up what running needs, and serve on http://localhost:8765 (HAMLET_PORT=9000 make run for another port)
	@$(PYTHON) start.py $(if $(TORCH),--torch $(TORCH))

lint: install ## Check style, types and the directions of imports
	@$(MAKE) --no-print-directory --jobs 2 check-python lint-page

check-python: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-page: install
	$(BIN)/python frontend/tooling.py lint

# After `page`: both install the packages of Node.
check-page: lint-page
	$(BIN)/python frontend/tooling.py test

test: page kernel ## Check everything but what is marked `long`: style, types, the page, the tests, the documentation
	@$(MAKE) --no-print-directory --jobs 2 check-python check-page
	$(BIN)/python -m pytest -m "not alone and not long" --numprocesses 3 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m "alone and not long" tests/e2e_nginx tests/e2e_redis

test-long: page kernel ## Run the tests that `make test` leaves out, one by one
	$(BIN)/python -m pytest -m long

test-e2e: page kernel ## Behind a real nginx, with real TLS and a real browser (part of `make test`)
	-@scripts/install_nginx.sh
	$(BIN)/python -m pytest tests/e2e_nginx

bench: kernel ## Measure all of speed, in a quarter of an hour on a quiet machine
	$(BIN)/python -m bench all

format: install ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: page ## Take the pictures of the README anew, into docs/images/
	$(BIN)/python -m scripts.screenshots

docs: install ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: ## Remove what was built (not models/ or data/)
	rm -rf .venv site dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf frontend/node_modules hamlet_trio/web/page hamlet_trio/world/kernel-*
