// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// The OpenZeppelin ERC-20 with a first supply for whoever deploys it.
/// Balances are mapping slot 0, allowances slot 1, the total supply is slot 2.
contract Token is ERC20 {
    constructor() ERC20("Bench Token", "BENCH") {
        _mint(msg.sender, 10 ** 27);
    }
}
