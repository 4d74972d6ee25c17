import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { filesBelow, type Package, type Violation } from '../workspace.ts'

/**
 * Every code that a package adds to `EvtErrors` stands in the errors table of its README, and every code of the table
 * is declared by the package or by one that it depends on. Seen in fastify, whose test compares `Errors.md` both ways.
 */
export function checkErrorCodes(packages: readonly Package[]): readonly Violation[] {
  const byName = new Map(packages.map((one) => [one.manifest.name, one]))
  const declared = new Map(packages.map((one) => [one.manifest.name, declaredCodes(one)]))
  const known = (name: string): readonly string[] => [
    ...(declared.get(name) ?? []),
    ...Object.keys(byName.get(name)?.manifest.dependencies ?? {}).flatMap(known),
  ]
  return packages.flatMap(({ folder, manifest }) => {
    const documented = documentedCodes(join(folder, 'README.md'))
    const codes = new Set(known(manifest.name))
    const broken = (what: string): Violation => ({ package: manifest.name, rule: 'error codes', what })
    return [
      ...declared
        .get(manifest.name)!
        .filter((code) => !documented.includes(code))
        .map((code) => broken(`${code} is declared, and missing from the errors of the README`)),
      ...documented
        .filter((code) => !codes.has(code))
        .map((code) => broken(`${code} stands in the README, and neither it nor a dependency declares it`)),
    ]
  })
}

function declaredCodes({ folder }: Package): readonly string[] {
  return filesBelow(`${folder}/src`, '.ts').flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    // Parsing everything would take a second; only files with the word can hold the interface.
    return text.includes('interface EvtErrors') ? membersOfEvtErrors(text) : []
  })
}

function membersOfEvtErrors(text: string): readonly string[] {
  const codes: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) && node.name.text === 'EvtErrors')
      for (const member of node.members) if (member.name && ts.isIdentifier(member.name)) codes.push(member.name.text)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('errors.ts', text, ts.ScriptTarget.Latest))
  return codes
}

/** The codes in the first column of the tables under `## Errors`. */
function documentedCodes(readme: string): readonly string[] {
  if (!existsSync(readme)) return []
  const section = /^## Errors\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(readFileSync(readme, 'utf8'))?.[1] ?? ''
  const cells = section.split('\n').map((line) => line.split('|')[1] ?? '')
  return cells.flatMap((cell) => cell.match(/\bEVT_[A-Z0-9_]+\b/g) ?? [])
}
