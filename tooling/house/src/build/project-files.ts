import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Package } from '../workspace.ts'

/** What `tsc -b` needs: one project per package and one that names them all. Written into a cache, never committed. */
export function writeProjects(root: string, packages: readonly Package[]): string {
  const cache = join(root, '.cache/tsc')
  const folderOf = new Map(packages.map(({ path, manifest }) => [manifest.name, path.replaceAll('/', '-')]))
  for (const { path, manifest } of packages) {
    const up = `../../../${path}`
    const references = Object.keys(manifest.dependencies ?? {}).flatMap((name) => folderOf.get(name) ?? [])
    writeProject(join(cache, folderOf.get(manifest.name)!), {
      extends: '../../../tsconfig.json',
      compilerOptions: {
        composite: true,
        isolatedDeclarations: true,
        noEmit: false,
        emitDeclarationOnly: true,
        types: ['node'],
        rootDir: `${up}/src`,
        outDir: `${up}/dist/esm`,
        tsBuildInfoFile: 'tsconfig.tsbuildinfo',
      },
      include: [`${up}/src`],
      references: references.map((folder) => ({ path: `../${folder}` })),
    })
  }
  writeProject(cache, { files: [], references: [...folderOf.values()].map((path) => ({ path })) })
  return cache
}

function writeProject(folder: string, project: unknown): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project, null, 2))
}
