import { readPackages } from '../workspace.ts'
import { capabilityTable } from './capability-table.ts'
import { replaceSection } from './generated-section.ts'
import { transportTable } from './transport-table.ts'
import { transports } from './transports.ts'

/** The README with its two tables as they must be now. */
export function withTables(readme: string, root: string): string {
  const packages = readPackages(root)
  const withCapabilities = replaceSection(readme, 'capabilities', capabilityTable(packages))
  return replaceSection(withCapabilities, 'transports', transportTable(packages, transports))
}
