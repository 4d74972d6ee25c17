import { basename, sep } from 'node:path'
import { nameOf } from '../layers.ts'
import { filesBelow, type Package, type Violation } from '../workspace.ts'

const kinds = new Set(['utils', 'util', 'shared', 'common', 'types', 'helpers'])

/** A package is named after its path, and no folder or file after a kind of thing. */
export function checkNames(packages: readonly Package[]): readonly Violation[] {
  return packages.flatMap(({ path, folder, manifest }) => {
    const found: Violation[] = []
    const complain = (rule: string, what: string) => found.push({ package: manifest.name ?? path, rule, what })
    if (manifest.name !== nameOf(path)) complain('name follows path', `${path} is ${nameOf(path)}`)
    const kind = path.split('/').find((part) => kinds.has(part))
    if (kind !== undefined) complain('words of the domain', `"${kind}" says nothing about ${path}`)
    for (const file of filesBelow(`${folder}/src`, '.ts')) {
      const parts = file.slice(folder.length).split(sep)
      const vague = [...parts.slice(0, -1), basename(file).split('.')[0]!].find((part) => kinds.has(part))
      if (vague !== undefined) complain('words of the domain', `"${vague}" says nothing about ${parts.join('/')}`)
    }
    return found
  })
}
