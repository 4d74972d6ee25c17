import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One numbered step forward. It is applied once and never changed afterwards. */
export interface Migration {
  readonly number: number
  readonly file: string
  readonly sql: string
  /** SHA-256 of the file as shipped. */
  readonly checksum: string
}

/**
 * Reads `migrations/0001_….sql` and its successors from the package that the module belongs to; from a folder in there where
 * the package keeps several kinds of tables.
 */
export function readMigrations(moduleUrl: string, kind = ''): readonly Migration[] {
  const folder = join(findFolder(dirname(fileURLToPath(moduleUrl))), kind)
  const files = readdirSync(folder).filter((file) => /^\d{4}_\w+\.sql$/.test(file))
  return files.sort().map((file, index) => {
    const number = Number(file.slice(0, 4))
    if (number !== index + 1) throw new Error(`Migration ${index + 1} is missing beside ${file}`)
    const sql = readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n')
    return { number, file, sql, checksum: createHash('sha256').update(sql).digest('hex') }
  })
}

// Sources, the ESM build and the CommonJS build lie at different depths below the package.
function findFolder(start: string): string {
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'migrations')
    if (existsSync(candidate)) return candidate
    if (existsSync(join(folder, 'package.json')) && !/[\\/]dist[\\/]?/.test(folder)) break
  }
  throw new Error(`No migrations folder above ${start}: leave packages that read migrations out of a bundle`)
}
