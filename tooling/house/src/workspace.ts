import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What `package.json` says; every field is checked where it is used. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly description?: string
  readonly exports?: Readonly<Record<string, unknown>>
  readonly files?: readonly string[]
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

/** A package that is published: one folder below `packages/`. */
export interface Package {
  /** From the root, with slashes: `packages/outbox/pg`. */
  readonly path: string
  readonly folder: string
  readonly manifest: Manifest
}

/** A rule that a package breaks. */
export interface Violation {
  readonly package: string
  readonly rule: string
  readonly what: string
}

/** Every package one or two folders below `packages`, in the order of its path. */
export function readPackages(root: string): readonly Package[] {
  const paths = foldersOf(join(root, 'packages')).flatMap((name) => [
    `packages/${name}`,
    ...foldersOf(join(root, 'packages', name)).map((leaf) => `packages/${name}/${leaf}`),
  ])
  return paths.filter((path) => existsSync(join(root, path, 'package.json'))).map((path) => readPackage(root, path))
}

function readPackage(root: string, path: string): Package {
  const folder = join(root, path)
  return { path, folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest }
}

function foldersOf(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map((entry) => entry.name)
    .sort()
}

/** The files below a folder whose name ends so; none where the folder is missing. */
export function filesBelow(folder: string, ending: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending) && !file.includes('node_modules'))
    .sort()
    .map((file) => join(folder, file))
}
