import { relative } from 'node:path'
import { importsOf, packageOf } from '../imports.ts'
import { layerOf, mayImport } from '../layers.ts'
import { filesBelow, type Package, type Violation } from '../workspace.ts'

/** Sources and manifests name only packages of the layers below. Tests and development dependencies are free. */
export function checkLayers(packages: readonly Package[]): readonly Violation[] {
  const byName = new Map(packages.map((one) => [one.manifest.name, one]))
  return packages.flatMap((one) => {
    const { path, folder, manifest } = one
    const found: Violation[] = []
    const complain = (rule: string, what: string) => found.push({ package: manifest.name, rule, what })
    const judge = (name: string, where: string) => {
      if (!name.startsWith('@evt/') || name === manifest.name) return
      const target = byName.get(name)
      if (target === undefined) complain('layers', `${where} names ${name}, which is no published package`)
      else if (!mayImport(path, target.path))
        complain('layers', `${where} names ${name}: ${layerOf(path)} may not import ${layerOf(target.path)}`)
    }
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies }
    for (const name of Object.keys(declared)) judge(name, 'package.json')
    for (const file of filesBelow(`${folder}/src`, '.ts')) {
      const where = relative(folder, file)
      for (const module of importsOf(file)) {
        if (leavesPackage(where, module)) complain('layers', `${where} reaches out of its package: ${module}`)
        const name = packageOf(module)
        if (name === undefined) continue
        judge(name, where)
        if (name !== manifest.name && declared[name] === undefined)
          complain('imports are declared', `${where} imports ${name}, which package.json does not name`)
      }
    }
    return found
  })
}

function leavesPackage(file: string, module: string): boolean {
  if (!module.startsWith('.')) return false
  const up = module.split('/').filter((part) => part === '..').length
  return up >= file.split(/[\\/]/).length - 1
}
