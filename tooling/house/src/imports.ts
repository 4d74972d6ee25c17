import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** Every module that a TypeScript file imports, exports from or loads: types, values and `import()`. */
export function importsOf(file: string): readonly string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true)
  return importedFiles.map((imported) => imported.fileName)
}

/** The package of a module's name, or undefined for a relative path and for what Node brings along. */
export function packageOf(module: string): string | undefined {
  if (module.startsWith('.') || module.startsWith('node:')) return undefined
  return module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/')
}
