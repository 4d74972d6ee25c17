import { invalidOption } from '@evt/core'

const legal = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/

/** Quotes a schema, table or channel name, or throws `EVT_OPTION_INVALID` naming the option. */
export function quotedIdentifier(option: string, name: unknown): string {
  if (typeof name !== 'string' || !legal.test(name)) {
    throw invalidOption(option, 'expected a letter or "_", then letters, digits and "_", at most 63 bytes together')
  }
  return `"${name}"`
}

/** A table with its schema, quoted. */
export function quotedTable(schema: unknown, table: unknown): string {
  return `${quotedIdentifier('schema', schema)}.${quotedIdentifier('table', table)}`
}
