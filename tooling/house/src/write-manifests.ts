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

const listed = ['scripts', 'dependencies', 'peerDependencies', 'devDependencies']

/** Gives every manifest the fields of the house, in one order. */
export function writeManifests(root: string): void {
  const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as RootManifest
  for (const one of readPackages(root)) {
    const fields: Record<string, unknown> = { ...one.manifest, ...sharedFields(one, rootManifest) }
    for (const name of listed) if (name in fields) fields[name] = sorted(fields[name] as Record<string, string>)
    const names = [...order, ...Object.keys(fields).filter((name) => !order.includes(name))]
    const ordered = Object.fromEntries(names.flatMap((name) => (name in fields ? [[name, fields[name]]] : [])))
    writeFileSync(join(one.folder, 'package.json'), `${JSON.stringify(ordered, null, 2)}\n`)
  }
}

function sorted(list: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(list).sort(([left], [right]) => (left < right ? -1 : 1)))
}
