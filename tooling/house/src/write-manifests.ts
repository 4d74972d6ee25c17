import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RootManifest, sharedFields } from './manifest-shape.ts'
import { readPackages } from './workspace.ts'

const order = [
  'name',
  'version',
  'description',
  'license',
  'repository',
  'type',
  'sideEffects',
  'engines',
  'files',
  'bin',
  'exports',
  'scripts',
  'dependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'devDependencies',
  'publishConfig',
]

/** Gives every manifest the fields of the house, in one order. */
export function writeManifests(root: string): void {
  const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as RootManifest
  for (const one of readPackages(root)) {
    const fields: Record<string, unknown> = { ...one.manifest, ...sharedFields(one, rootManifest) }
    const names = [...order, ...Object.keys(fields).filter((name) => !order.includes(name))]
    const sorted = Object.fromEntries(names.flatMap((name) => (name in fields ? [[name, fields[name]]] : [])))
    writeFileSync(join(one.folder, 'package.json'), `${JSON.stringify(sorted, null, 2)}\n`)
  }
}
