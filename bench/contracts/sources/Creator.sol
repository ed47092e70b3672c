// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What no path covers: a CREATE2 inside a call, and precompiled contracts.
/// Calls are independent of each other: the child's address does not follow from this contract's nonce.
contract Creator {
    mapping(address => bytes32) public digests;

    function spawn(uint256 x) external returns (address) {
        return address(new Child{salt: bytes32(uint256(uint160(msg.sender)))}(x));
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
