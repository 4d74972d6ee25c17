import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { checkPackages } from '../src/rules/index.ts'
import { writeManifests } from '../src/write-manifests.ts'
import { type FixtureTree, fixtureTree } from './fixture-tree.ts'

let tree: FixtureTree
beforeEach(() => {
  tree = fixtureTree()
})
afterEach(() => tree.remove())

const workspace = 'workspace:^'
const pg = 'packages/saga/pg'
const name = '@evt/saga-pg'

interface Spoiled {
  readonly what: string
  readonly spoil: () => void
  readonly found: string
}
const field = (what: string, fields: Record<string, unknown>, rule = Object.keys(fields)[0]!): Spoiled => ({
  what,
  spoil: () => tree.change(pg, fields),
  found: `${name}: manifest field ${rule}`,
})
const changed = (what: string, path: string, fields: Record<string, unknown>, found: string): Spoiled => ({
  what,
  spoil: () => tree.change(path, fields),
  found,
})
const written = (what: string, file: string, text: string, found: string): Spoiled => ({
  what,
  spoil: () => tree.write(file, text),
  found,
})
const published = (folder: string) => `{"license":"MIT","engines":{"node":">=20.19"},"repository":{"url":"${folder}"}}`

const spoiled: readonly Spoiled[] = [
  changed('a name that does not follow its path', pg, { name: '@evt/pg-saga' }, '@evt/pg-saga: name follows path'),
  written('a folder named after a kind of thing', `${pg}/src/utils/text.ts`, '', `${name}: words of the domain`),
  written('a file named after a kind of thing', `${pg}/src/types.ts`, '', `${name}: words of the domain`),
  field('another license', { license: 'ISC' }),
  field('another kind of module', { type: 'commonjs' }),
  field('another floor of Node', { engines: { node: '>=18' } }),
  field('undeclared side effects', { sideEffects: undefined }),
  field('sources among what is shipped', { files: ['dist', 'src', 'README.md'] }),
  field('a shipped folder that is missing', { files: ['dist', 'migrations', 'README.md'] }),
  field('an entry that is not of the shape', { exports: { './x': { '@evt/source': './src/x.ts' } } }),
  field('no main entry', { exports: {} }),
  field('publishing without provenance', { publishConfig: { access: 'public' } }),
  field('a package that nobody packs and looks into', { scripts: {} }),
  field('no description', { description: '' }),
  field('a private package', { private: true }),
  written(
    'a repository that only the root names',
    'package.json',
    published('git'),
    `${name}: manifest field repository`,
  ),
  changed(
    'a dependency of core',
    'packages/core',
    { dependencies: { tslib: '^2' } },
    '@evt/core: core has no dependencies',
  ),
  changed(
    'a peer of core',
    'packages/core',
    { peerDependencies: { pino: '^10' } },
    '@evt/core: core has no dependencies',
  ),
  changed('a pinned sibling', pg, { dependencies: { '@evt/core': '^0.1.0' } }, `${name}: workspace ranges`),
  changed('a sibling as a peer', pg, { peerDependencies: { '@evt/core': workspace } }, `${name}: workspace ranges`),
  changed('a client that is no peer', pg, { dependencies: { pg: '^8' } }, `${name}: clients are peers`),
  written('core on a capability', 'packages/core/src/x.ts', "export * from '@evt/saga'", '@evt/core: layers'),
  written('a backend on a capability', 'packages/backend/pg/src/x.ts', "import '@evt/saga'", '@evt/pg: layers'),
  changed(
    'a capability on a backend',
    'packages/saga/core',
    { dependencies: { '@evt/pg': workspace } },
    '@evt/saga: layers',
  ),
  written('an adapter on its sibling', `${pg}/src/x.ts`, "import type {} from '@evt/saga-redis'", `${name}: layers`),
  changed(
    'an adapter on another capability',
    'packages/transport/redis',
    { dependencies: { '@evt/saga': workspace } },
    '@evt/transport-redis: layers',
  ),
  written('a surface on an adapter', 'packages/cli/src/x.ts', "await import('@evt/saga-pg')", '@evt/cli: layers'),
  written('a package on the tooling', `${pg}/src/x.ts`, "import '@evt/house'", `${name}: layers`),
  written('a path into a neighbour', `${pg}/src/x.ts`, "import '../../core/src/index.ts'", `${name}: layers`),
  written('an undeclared import', `${pg}/src/x.ts`, "import 'pg'", `${name}: imports are declared`),
  { what: 'a missing README', spoil: () => rmSync(join(tree.root, pg, 'README.md')), found: `${name}: README` },
  written('a README under another name', `${pg}/README.md`, '# saga\n', `${name}: README`),
  written('a README of 71 lines', `${pg}/README.md`, `# ${name}${'\n.'.repeat(70)}`, `${name}: README`),
  written('an adapter that runs no suite', `${pg}/test/saga.test.ts`, '', `${name}: conformance`),
  written(
    'a transport that runs no suite',
    'packages/transport/redis/test/transport.test.ts',
    "import '@evt/core'",
    '@evt/transport-redis: conformance',
  ),
  written(
    'a contract that has no suite',
    'packages/poison/pg/package.json',
    '{"name":"@evt/poison-pg"}',
    '@evt/poison-pg: conformance',
  ),
  written(
    'a code that the README does not explain',
    'packages/saga/core/src/errors.ts',
    "declare module '@evt/core' { interface EvtErrors { EVT_SAGA_FULL: {} } }",
    '@evt/saga: error codes',
  ),
  written(
    'a code that nobody declares',
    `${pg}/README.md`,
    `# ${name}\n\n## Errors\n\n| \`EVT_GONE\` | gone |\n`,
    `${name}: error codes`,
  ),
]

test('a tree in which no rule is broken passes', () => {
  expect(checkPackages(tree.root)).toEqual([])
})

test.each(spoiled)('$what is found, by the name of the package and of the rule', ({ spoil, found }) => {
  spoil()
  expect(checkPackages(tree.root).map((violation) => `${violation.package}: ${violation.rule}`)).toContain(found)
})

test('a README may explain the codes of the packages that it builds on', () => {
  tree.write(`${pg}/README.md`, `# ${name}\n\n## Errors\n\n| \`EVT_CLOSED\` | closed |\n\n## Schema\n\n| \`EVT_X\` |\n`)
  expect(checkPackages(tree.root)).toEqual([])
})

test('the order of the export conditions is part of the rule', () => {
  const esm = { types: './dist/esm/index.d.ts', default: './dist/esm/index.js' }
  const commonjs = { types: './dist/cjs/index.d.ts', default: './dist/cjs/index.js' }
  const entry = { require: commonjs, import: esm, 'module-sync': esm, '@evt/source': './src/index.ts' }
  tree.change(pg, { exports: { '.': entry } })
  expect(checkPackages(tree.root).map(({ rule }) => rule)).toContain('manifest field exports')
})

test('writing the manifests repairs every shared field', () => {
  tree.change(pg, { license: 'ISC', type: undefined, publishConfig: undefined, scripts: undefined })
  writeManifests(tree.root)
  expect(checkPackages(tree.root)).toEqual([])
})
