import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { filesBelow, type Package } from '../workspace.ts'
import { writeProjects } from './project-files.ts'

/** Writes the types of every package, twice: what a `.d.ts` is depends on the `package.json` above it. */
export function buildDeclarations(root: string, packages: readonly Package[]): void {
  const projects = writeProjects(root, packages)
  const compiler = join(root, 'node_modules/@typescript/native/bin/tsc')
  const { status } = spawnSync(process.execPath, [compiler, '-b', projects], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('The types do not compile')
  for (const { folder } of packages) {
    const esm = join(folder, 'dist/esm')
    for (const file of filesBelow(esm, '.d.ts')) {
      const text = withJavaScriptSuffixes(readFileSync(file, 'utf8'))
      const commonjs = join(folder, 'dist/cjs', file.slice(esm.length))
      mkdirSync(dirname(commonjs), { recursive: true })
      writeFileSync(file, text)
      writeFileSync(commonjs, text)
    }
  }
}

// The compiler leaves `./x.ts` in declarations; a user's compiler wants `./x.js` there.
function withJavaScriptSuffixes(declaration: string): string {
  return declaration.replace(/((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]*)\.ts(['"])/g, '$1.js$2')
}
