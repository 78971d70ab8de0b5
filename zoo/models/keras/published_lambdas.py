"""Lambdas of published models, recognised by the hash of their code: what FramePool's and APARENT2's compute.

A file holds the code as the Python of its author marshalled it, with the path of the source in it. What is hashed is
``bytecode.normal_form``, which leaves the path out; the hashes are those of the published source under Python 3.6 to
3.13, which ``scripts/hash_lambdas.py`` prints.
Sources: Karollus and others, FramePool (``Modelling/model.py``); Linder and others, APARENT2
(``aparent_model_plasmid_resnet_var_batch_size_inference_mode.py``).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models.keras.bytecode import normal_form, read_code

__all__ = ["FrameSlices", "published_lambda"]


class FrameSlices(nn.Module):
    """FramePool's FrameSliceLayer: (N, L, ...) -> the positions of each of three reading frames, the last one first."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        turned = x.flip(1)
        return turned[:, 0::3], turned[:, 1::3], turned[:, 2::3]


class KnownPositions(nn.Module):
    """``K.sum(x, axis=2)``: 1 where the one-hot sequence has a base, (N, L, 4) -> (N, L)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(2)


class Masked(nn.Module):
    """``tf.multiply(x, K.expand_dims(mask, axis=2))`` of (N, L, C) and (N, L)."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x * mask.unsqueeze(2)


class MaskedAverage(nn.Module):
    """``K.sum(x, axis=1) / K.sum(K.expand_dims(mask, axis=2), axis=1)`` of (N, L, C) and (N, L)."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.sum(1) / mask.unsqueeze(2).sum(1)


class Product(nn.Module):
    """``tf.multiply`` of two tensors."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


class SumOfTwo(nn.Module):
    """``x[0] + x[1]``."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Complement(nn.Module):
    """``1 - x``."""

    def forward(self, x: Tensor) -> Tensor:
        return 1 - x


class OnePositionMore(nn.Module):
    """(N, 1, L, 1) with a 0 behind the last position."""

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, 0, 1))


class AtEveryPosition(nn.Module):
    """(N, C) -> (N, 1, 206, C): the library of a measurement at each of APARENT2's positions."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, None, None].expand(-1, -1, 206, -1)


class CutProbabilities(nn.Module):
    """(N, 1, L, 1) -> (N, L), which add up to 1."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(x[:, 0, :, 0], dim=-1)


class ShareOfWindow(nn.Module):
    """(N, L) -> (N, 1): the sum over positions 80 to 109."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 80:110].sum(-1, keepdim=True)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "sum_of_two": SumOfTwo,
    "one_position_more": OnePositionMore,
    "at_every_position": AtEveryPosition,
    "cut_probabilities": CutProbabilities,
    "share_of_window": ShareOfWindow,
    "known_positions": KnownPositions,
    "masked": Masked,
    "masked_average": MaskedAverage,
    "product": Product,
    "complement": Complement,
}


def published_lambda(code: bytes) -> nn.Module | None:
    """The module that computes what marshalled code of a published model does, or None for other code."""
    found = read_code(code)
    name = NAMES.get(normal_form(found)) if found is not None else None
    return MODULES[name]() if name is not None else None


# Name -> hashes of its code, of each form in which it was published, under Python 3.6 to 3.13.
HASHES = {
    "relu": (
        "25f287d653d6d00214eabf37569b7c8a77713a6b8403c27907b78b829d6c90a6",
        "3c0522bf2934f1096ab9c96a7324268d95a0d21f7d9ad08524a7c6b56048bf86",
        "5395f9c080499deca4d251dbe71e6821348293dce772b95900c9cd69fb774e0b",
        "5be00aaeb33200192ab185f7faee0b69caecee32b39a9a1046c3f8bbcb002dce",
    ),
    "sum_of_two": (
        "5f31a5639d3d36824c41a255b8292c49fd60aafdaca565bfc650cb5c6c925b2c",
        "df3d8f796654da2579065b5fd6b04a10be36f44ecbcad8f060b195e3d3ee6a92",
        "f02cb4f6f1c1e054172659d055246c3b39574f8b4ae610e235fcfc0ee64693ed",
        "f0dcce65861b88a40a51a13667c51b7100a29bf7330b09055008c2a999b9840d",
    ),
    "one_position_more": (
        "0a26f990aacfe474ea9cc72fdb58dfd75060b55a387c0796b52dead6fa28894d",
        "95ef88bc7bcb7afef7a4d0e449e593c44641a120c13c43971581453414c78ace",
        "96c42b8f8f1200ae29038f575e6f1e649ab2a95010403f6a61dff84dee5c2661",
        "aa3ec10f251fc24c1410d4b795aa84fd33bf9d730029e22d3f1df23c8ec6f8a3",
        "ad49fb3edb534d7667eb9081fad2f474c7935535910749d6c59687058444bf9e",
    ),
    "at_every_position": (
        "31b397a506f7c679f07d84af7c39e102e7bbdf05c8fcb1012bf18abe2949b12c",
        "78f68f87fff1df4b65cc367b825129c2ca48c964c59318dec558c3748f074fb2",
        "8f4621c48a2082f61edb132607dc71759c45bc7e36aaa10a8c9d4904fea944e9",
        "e023d327b218ececd8057f897bde4dbe98405b8d3e0ea9811b4c4b70a7c66d02",
        "e9dce3326601b7cdb85c7faf3ef7ddef9f83e531f2be977847015729bf3d2409",
    ),
    "cut_probabilities": (
        "0e998e408ba4ca2451acf5ff1d2bd2d845f56121f83c5cbcb6068fc354fe0e87",
        "4f5a3c31df6a1156cd2c367336ebef8a3a47468232b39203c5ed642205d9469b",
        "54e46f634ecb085f79687e16c339ceac071fcf4b236d87a79aa8b6d250bac2e0",
        "d0c44f385135fcb4b3c2de4fd60ddc22f85afa29e3070760cb41ee77b546bef7",
        "ef6ec6af41d24bceca97af28ea5357796c7ecbe6c861a406d48a2e97f5507677",
    ),
    "share_of_window": (
        "12f7e6a5ed0a0191e12668ce765ac07b650acc86c2ef37123b505515f01f3bcd",
        "80a04b8d68c46c920123f63f9ff93150ef57da2b02139396b1b7adfb872a9149",
        "8c5005c26056f5f310ffc741af493078a6fa6a2c3fa18a481c8afa34e6884ad9",
        "d8ebef530a9d0362d9e195ec2da6e2c8274e0afa143d696cf5e4b82cc1e8ca9b",
        "e5f11880c92e278056a992a25b73747bf1de8141699681aa4a981bb4c1398108",
    ),
    "known_positions": (
        "0071aba7a2805b95bf75576e13a13755429856e2400f3458ba25a0bf2eb11464",
        "39c1f985b8baabf652f59dff6ffc875c336880c2ababfd5972a49fffa63b9880",
        "65eceb1f749d57d93ebade05f381023eec287a0d8fbae4ddfd60b7ba0c64e5c2",
        "f1cb4e02fb01ddcb9a803e52d1a4e8c095bc0682bf342f9acc454fd9bff9756a",
    ),
    "masked": (
        "2b515db5d0e156381b94417d790237a28294035ef8800c4b7fc25f4b6e85cdfa",
        "403dc0e13eb71924404029de5d310e48c9c2eedf2aec05c8ebc66a492a5ac309",
        "453ab45cbdcad1b6b8b737e258e67c492e612cff3f0bbc9f3b7fbd9d21e06d8c",
        "4d9defd1daa70854a5e6c9db41291f34361c7452a8a46aa18dd552affaedbdaa",
        "8816725fb07b513b6f7f25a30ce3a01501c70caed0d22f2a2d1e9894fbf0dc3e",
        "a78194e9cbaff14b1864d1e66b42309f9669cc6d9c3311a9996282eb7a822e3f",
        "aa327c11dc9da6e8354cbf861a6cc2f504d1983d929108b3d6660edb9a9f83dd",
        "c8659357257fe7c4ad1ddd1c8abdb27d8112388e4282969b66da53328c1a363b",
        "d8f5a5bca12fa3c7a08699f99b9e6cfacd5200a8e4d3befc7c9e120677248a6e",
        "f862630652d7324b5eb5d94868d8e4148ee6ac31dc9799c522e57728b8919232",
    ),
    "masked_average": (
        "49a26c13184716347976f8237abe2d635602a55c4e0d85c3eaf90bda10137009",
        "64cb1565ec1ecd3a716056cd62b80f3ec662e58778e08df351d9738fa1722a42",
        "90e9388ff22cbf417761b925752547fb8ef1e93079ee3e7a2343f7f8a284d530",
        "e661ed78f464814bc494c7f8525d8cb9900935e45e6c68e3dc1c87bf0c2af1df",
    ),
    "product": (
        "15861512d5f1d401eb1e7a36685ed9ff796359e3fecd4ac86143efda81ae863b",
        "301d1ef46b9974a89a0b222d5b069638da3eba8c262d6e39d6652bc5b72457ba",
        "3e9a8975cf1b38ef194f8995cc425918bb8dba1e2edc55d31aa0d9d3ecc74470",
        "5a6043cbf854cd2637b978ebac28fc16b8babc68c18aada880de712a6b2506d9",
        "6ec9de8c25e207a0b6a8b7e2036d952ce33d19a3828352ce71aad34b489ca7d2",
        "81bcbc537d5e26abac4d4f3df34890ae594a8c1198361047c783ebb5d05f5a72",
        "927d39e7fb230ce8d2b6d62e1cd5b8255bebc5d3f4d8a6d94de4d6a0551f5119",
        "b8048e577f024df31d6eceb61a3a0facbada56b58abb6ba817e7ea7879f4461a",
        "bd5dccbec8ac17c7c41b987e089012cab19ee7c110d05805bb54cdd88ab10605",
        "ccf2f7648c003449aa0f275b416bb7dce73d5d0574a90c9c19f31c33aa1cd915",
    ),
    "complement": (
        "009f3ab71ae76c38c8ff1a5a4c0c5c492aaa1e454dfe0c9cd3159e502049debd",
        "18a40bb51db4f20f5ff85e067f7b0b007f55b5466d1dd3767c826968a870ed38",
        "323087fb898b9cc3a69368eeab65f27d435f6c72517df9eab1158134c77ed751",
    ),
}
NAMES = {digest: name for name, digests in HASHES.items() for digest in digests}
