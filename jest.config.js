/** Tests run on the TypeScript sources: the `@evt/source` condition makes a build unnecessary. */
export default {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/tooling/servers/global-setup.mjs',
  globalTeardown: '<rootDir>/tooling/servers/global-teardown.mjs',
  testSequencer: '<rootDir>/tooling/servers/sequencer.mjs',
  testMatch: [
    '<rootDir>/packages/**/test/**/*.test.ts',
    '<rootDir>/apps/**/test/**/*.test.ts',
    '<rootDir>/tooling/**/test/**/*.test.ts',
  ],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  testEnvironmentOptions: { customExportConditions: ['@evt/source', 'node', 'require', 'default'] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
    // It calls import(), which Jest's CommonJS mode has not; untransformed, the client can reach no server.
    '/mongodb/lib/runtime_adapters.js$': ['@swc/jest', { jsc: { target: 'es2022' }, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: ['/node_modules/(?!(.*/)?mongodb/lib/runtime_adapters.js$)'],
  maxWorkers: '100%',
  // Tests have deadlines of their own, which say what did not happen; this one is for what hangs.
  testTimeout: 60_000,
}
