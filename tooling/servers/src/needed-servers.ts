import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kinds } from './kinds.ts'

const own = fileURLToPath(new URL('index.ts', import.meta.url))
const imports = /\bimport\s*(?!type\b)(?:\{([^}]*)\}\s*from\s*)?'([^']+)'/g
const alias: Readonly<Record<string, string>> = { freshDatabase: 'postgres', hasPostgres: 'postgres' }

/** The kinds of server that test files name in their imports of @evt/servers, themselves or through files beside them. */
export function neededServers(testFiles: readonly string[]): Set<keyof typeof kinds> {
  const needed = new Set<keyof typeof kinds>()
  const seen = new Set<string>()
  const read = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const [, names = '', from = ''] of source(file).matchAll(imports)) {
      const target = from.startsWith('.') ? resolve(dirname(file), from) : from
      if (target === '@evt/servers' || target === own) {
        for (const name of names.split(',').map((part) => part.trim().split(/\s+as\s/)[0]!)) {
          const kind = alias[name] ?? name
          if (Object.hasOwn(kinds, kind)) needed.add(kind as keyof typeof kinds)
        }
      } else if (from.startsWith('.') && target.includes('/test/')) {
        read(target)
      }
    }
  }
  for (const file of testFiles) read(file)
  return needed
}

function source(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // An import that names no file is for the test run to report.
    return ''
  }
}
