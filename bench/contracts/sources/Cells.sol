// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// One storage slot per key. `turn` is a read-modify-write whose result depends on the order of the calls, so two calls
/// with the same key can neither be merged nor reordered.
contract Cells {
    mapping(uint256 key => uint256 value) public cells;

    event Turned(uint256 indexed key, uint256 value);

    function turn(uint256 key, uint256 x) external {
        unchecked {
            uint256 value = cells[key] * 6364136223846793005 + x;
            cells[key] = value;
            emit Turned(key, value);
        }
    }
}
