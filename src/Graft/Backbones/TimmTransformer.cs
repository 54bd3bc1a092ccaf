using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// Vision Transformer, Dosovitskiy et al. 2020, arXiv:2010.11929, as timm describes and names it (timm/models/vision_transformer.py), and as DeiT and
/// DINOv2 and SigLIP publish it.
/// </summary>
/// <param name="HasLayerScale">Whether residual branches end in a learned factor for each channel.</param>
/// <param name="HasClassToken">Whether a learned token stands before the patches.</param>
/// <param name="ImageSizePixels">Width and height that it was trained at.</param>
internal sealed record TimmTransformer(int Channels, int Depth, int Heads, int Patch, int ImageSizePixels, bool HasLayerScale = false, bool HasClassToken = true, ActivationFunction Activation = Gelu)
{
    private const double Epsilon = 1e-6;

    /// <summary>Up to the class token after the last norm, <c>pool</c>.</summary>
    public Node Build(NetworkBuilder builder) => Tokens(builder).FirstToken("pool");

    /// <summary>Up to all tokens after the last norm, <c>norm</c>.</summary>
    public Node Tokens(NetworkBuilder builder)
    {
        var patches = builder.Input("input", channels: 3, ImageSizePixels).Convolution("patch_embed.proj", Channels, kernel: Patch, stride: Patch);
        var x = (HasClassToken ? patches.ClassToken("cls_token") : patches.MapTokens("patch_embed.flatten"))
            .PositionEmbedding("pos_embed", patches, grid: ImageSizePixels / Patch);
        for (var block = 0; block < Depth; block++) x = Block(x, $"blocks.{block}");
        return x.LayerNorm("norm", Epsilon);
    }

    private Node Block(Node input, string block)
    {
        var attended = Scaled(input
            .LayerNorm($"{block}.norm1", Epsilon).PointwiseDense($"{block}.attn.qkv", 3 * Channels)
            .SelfAttention($"{block}.attn.heads", Heads).PointwiseDense($"{block}.attn.proj", Channels), $"{block}.ls1.gamma").Add($"{block}.add1", input);
        return Scaled(attended
            .LayerNorm($"{block}.norm2", Epsilon).PointwiseDense($"{block}.mlp.fc1", 4 * Channels).Activation($"{block}.mlp.act", Activation)
            .PointwiseDense($"{block}.mlp.fc2", Channels), $"{block}.ls2.gamma").Add($"{block}.add2", attended);
    }

    private Node Scaled(Node branch, string layer) => HasLayerScale ? branch.LayerScale(layer) : branch;
}
