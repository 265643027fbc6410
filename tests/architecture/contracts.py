"""Import contracts of the project's own, named in ``[tool.importlinter]``."""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class SingleImporterContract(Contract):
    """Of all root packages, one module alone imports the named external packages.

    Options: ``importer``, a module; ``packages``, top-level names. A package that nothing
    imports keeps the contract.
    """

    type_name = "single_importer"

    importer: Any = fields.StringField()
    packages: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - the interface of import-linter
        """Return whether nothing but ``importer`` imports any of ``packages``."""
        del verbose
        present = [package for package in self.packages if package in graph.modules]
        others = sorted(
            f"{importer} -> {package}"
            for package in present
            for importer in graph.find_modules_that_directly_import(package)
            if importer != self.importer
        )
        return ContractCheck(kept=not others, metadata={"others": others})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print every import that is one too many."""
        for line in check.metadata["others"]:
            output.print_error(f"- {line}")
