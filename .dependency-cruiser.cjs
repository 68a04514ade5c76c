// For dependency-cruiser, which is run through npx and is no dependency: CONTRIBUTING.md has the command.
module.exports = {
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    // The #names of package.json lead to the sources; see tsconfig.json, "customConditions".
    enhancedResolveOptions: { conditionNames: ['source', 'import', 'node', 'default'], exportsFields: ['exports'] },
  },
};
