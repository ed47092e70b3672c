/** What the compiler was told. */
export interface CompilerSettings {
  readonly optimizer: { readonly enabled: boolean; readonly runs: number }
  readonly evmVersion: string
  readonly metadata: { readonly bytecodeHash: string }
}

export interface CompiledSource {
  /** SHA-256 of the source and of each file that it imports, by path. */
  readonly sources: Readonly<Record<string, string>>
  /** Creation bytecode by contract, 0x-hex, without constructor arguments. */
  readonly contracts: Readonly<Record<string, string>>
}

/** All contracts of the benchmarks as solc compiled them, so whoever runs them needs no compiler. */
export interface CompiledContracts {
  readonly solc: string
  readonly openZeppelin: string
  readonly settings: CompilerSettings
  readonly sources: Readonly<Record<string, CompiledSource>>
}
