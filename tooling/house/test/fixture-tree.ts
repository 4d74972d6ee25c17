import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Manifest } from '../src/workspace.ts'
import { writeManifests } from '../src/write-manifests.ts'

/** A small workspace in a temporary folder, in which no rule is broken. */
export interface FixtureTree {
  readonly root: string
  write(file: string, text: string): void
  /** Changes fields of the manifest of a package; undefined removes one. */
  change(path: string, fields: Readonly<Record<string, unknown>>): void
  remove(): void
}

const source = (file: string) => ({ '@evt/source': `./src/${file}` })
const workspace = 'workspace:^'
const packages: Readonly<Record<string, Partial<Manifest>>> = {
  'packages/core': {
    name: '@evt/core',
    exports: { '.': source('index.ts'), './conformance': source('conformance/index.ts') },
  },
  'packages/backend/pg': { name: '@evt/pg', dependencies: { '@evt/core': workspace }, peerDependencies: { pg: '^8' } },
  'packages/saga/core': {
    name: '@evt/saga',
    exports: { '.': source('index.ts'), './conformance': source('conformance/index.ts') },
    dependencies: { '@evt/core': workspace },
  },
  'packages/saga/pg': {
    name: '@evt/saga-pg',
    dependencies: { '@evt/core': workspace, '@evt/saga': workspace, '@evt/pg': workspace },
    devDependencies: { '@evt/saga-redis': workspace },
  },
  'packages/saga/redis': {
    name: '@evt/saga-redis',
    dependencies: { '@evt/core': workspace, '@evt/saga': workspace },
    peerDependencies: { ioredis: '^5' },
  },
  'packages/transport/redis': {
    name: '@evt/transport-redis',
    dependencies: { '@evt/core': workspace },
    peerDependencies: { ioredis: '^5' },
  },
  'packages/cli': { name: '@evt/cli', dependencies: { '@evt/core': workspace, '@evt/saga': workspace } },
}
const files: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({ license: 'MIT', engines: { node: '>=20.19' } }),
  'packages/core/src/index.ts':
    "import { randomUUID } from 'node:crypto'\nexport type { EvtErrors } from './errors.ts'\n",
  'packages/core/src/errors.ts': 'export interface EvtErrors {\n  EVT_CLOSED: {}\n}\n',
  'packages/core/README.md':
    '# @evt/core\n\n## Errors\n\n| code | meaning |\n| --- | --- |\n| `EVT_CLOSED` | closed |\n',
  'packages/saga/pg/src/index.ts': "import '@evt/core'\nimport '@evt/saga'\nimport '@evt/pg'\n",
  'packages/saga/pg/test/saga.test.ts': "import '@evt/saga/conformance'\nimport '@evt/saga-redis'\n",
  'packages/saga/redis/test/saga.test.ts': "import '@evt/saga/conformance'\n",
  'packages/transport/redis/src/index.ts': "import type { Redis } from 'ioredis'\nimport '@evt/core'\n",
  'packages/transport/redis/test/transport.test.ts': "import '@evt/core/conformance'\n",
}

export function fixtureTree(): FixtureTree {
  const root = mkdtempSync(join(tmpdir(), 'evt-house-'))
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  for (const [path, manifest] of Object.entries(packages)) {
    const fields = { version: '0.0.0', description: 'Some package.', exports: { '.': source('index.ts') }, ...manifest }
    write(`${path}/package.json`, JSON.stringify(fields))
    write(`${path}/README.md`, `# ${manifest.name}\n`)
    write(`${path}/src/index.ts`, 'export {}\n')
  }
  for (const [file, text] of Object.entries(files)) write(file, text)
  writeManifests(root)
  return {
    root,
    write,
    change(path, fields) {
      const manifest = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Manifest
      write(`${path}/package.json`, JSON.stringify({ ...manifest, ...fields }))
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}
