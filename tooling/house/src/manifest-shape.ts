import type { Manifest, Package } from './workspace.ts'

type Exports = Readonly<Record<string, unknown>>

/** What the root's `package.json` gives to all. */
export interface RootManifest {
  readonly license: string
  readonly engines: Readonly<Record<string, string>>
  /** Where the sources are published; packages name it once the root does. */
  readonly repository?: { readonly type: string; readonly url: string }
}

/** The fields that are the same in every package, with the values they have in this one. */
export function sharedFields({ path, manifest }: Package, root: RootManifest): Readonly<Record<string, unknown>> {
  const up = '../'.repeat(path.split('/').length)
  const exports = exportsOf(manifest)
  return {
    license: root.license,
    ...(root.repository && { repository: { ...root.repository, directory: path } }),
    type: 'module',
    sideEffects: false,
    engines: root.engines,
    files: filesOf(manifest),
    exports,
    scripts: { ...manifest.scripts, 'pack-check': `node ${up}tooling/house/pack-check.mjs` },
    publishConfig: { access: 'public', provenance: true, exports: withoutSources(exports) },
  }
}

// What a package ships beside code stays: migrations, scripts of a server, built pages.
function filesOf({ files = [] }: Manifest): readonly string[] {
  return ['dist', ...files.filter((file) => !['dist', 'src', 'README.md'].includes(file)), 'README.md']
}

/**
 * One shape for every entry, from its source file alone. `module-sync` gives `import` and `require` the same instance on
 * every Node that can load a module synchronously; `require` is for Jest, bundlers and what else cannot.
 */
function exportsOf(manifest: Manifest): Exports {
  return mapEntries(manifest.exports, (entry) => {
    const source = entry['@evt/source']
    if (typeof source !== 'string') return entry
    const built = builtName(source)
    const esm = { types: `./dist/esm/${built}.d.ts`, default: `./dist/esm/${built}.js` }
    const commonjs = { types: `./dist/cjs/${built}.d.ts`, default: `./dist/cjs/${built}.js` }
    return { '@evt/source': source, 'module-sync': esm, import: esm, require: commonjs }
  })
}

// Sources are not shipped, they would be a third of every package; so what is published must not point at them.
function withoutSources(exports: Exports): Exports {
  return mapEntries(exports, ({ '@evt/source': _, ...published }) => published)
}

function mapEntries(exports: Exports = {}, change: (entry: Record<string, unknown>) => unknown): Exports {
  const changed = Object.entries(exports).map(([name, entry]) => [
    name,
    typeof entry === 'object' && entry !== null ? change(entry as Record<string, unknown>) : entry,
  ])
  return Object.fromEntries(changed) as Exports
}

/** The source file of every entry, by its name below `dist`: `conformance/index` → `src/conformance/index.ts`. */
export function entriesOf(manifest: Manifest): Readonly<Record<string, string>> {
  const sources = Object.values(manifest.exports ?? {})
    .map((target) => (target as Record<string, unknown>)['@evt/source'])
    .filter((source) => typeof source === 'string')
  return Object.fromEntries(sources.map((source) => [builtName(source), source.slice(2)]))
}

function builtName(source: string): string {
  return source.replace(/^\.\/src\/(.*)\.ts$/, '$1')
}
