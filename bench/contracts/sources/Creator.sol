// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What no path covers: a CREATE inside a call, and precompiled contracts.
contract Creator {
    mapping(address => bytes32) public digests;

    function spawn(uint256 x) external returns (address) {
        return address(new Child(x));
    }

    function digest(uint256 x) external {
        digests[msg.sender] = sha256(abi.encode(x));
    }
}

contract Child {
    uint256 public immutable x;

    constructor(uint256 x_) {
        x = x_;
    }
}
