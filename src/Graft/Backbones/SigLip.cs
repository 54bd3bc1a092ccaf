using Graft.Checkpoints;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// The image tower of SigLIP, Zhai et al. 2023, arXiv:2303.15343, base size: a vision transformer without class token, learned from photos and their captions,
/// for features; timm's names (timm/models/vision_transformer.py, layers/attention_pool.py), and Hugging Face's files load too
/// (transformers/models/siglip/modeling_siglip.py). A learned probe, Zhai et al. 2021, arXiv:2106.04560, looks for what is in all patches.
/// Neither library is to be had where Graft's references are made: parity is with the definition written out in PyTorch.
/// </summary>
public static class SigLip
{
    private const double Epsilon = 1e-6;
    private const int Channels = 768, Heads = 12, ImageSizePixels = 224;

    private static readonly TimmTransformer Base =
        new(Channels, Depth: 12, Heads, Patch: 16, ImageSizePixels, HasClassToken: false, Activation: GeluTanh);

    internal static Network Build(string name)
    {
        var attended = Base.Tokens(new(name))
            .ClassToken("attn_pool.latent").PointwiseDense("attn_pool.in_proj", 3 * Channels).ProbeAttention("attn_pool.heads", Heads).Dense("attn_pool.proj", Channels);
        var pooled = attended.LayerNorm("attn_pool.norm", Epsilon)
            .Dense("attn_pool.mlp.fc1", 4 * Channels).Activation("attn_pool.mlp.act", GeluTanh).Dense("attn_pool.mlp.fc2", Channels).Add("attn_pool.add", attended);
        return pooled.Builder.Build(pooled.Dropout("head_drop", 0));
    }

    private static readonly KeyMap TimmKeys = KeyMap.Of(new KeyRule("attn_pool.in_proj.*", "attn_pool.q.*", "attn_pool.kv.*"));

    private static readonly KeyMap HuggingFaceKeys = KeyMap.Of(
        new KeyRule("patch_embed.proj.*", "embeddings.patch_embedding.*"),
        new KeyRule("pos_embed", "embeddings.position_embedding.weight"),
        new KeyRule("blocks.*.norm1.*", "encoder.layers.*.layer_norm1.*"),
        new KeyRule("blocks.*.norm2.*", "encoder.layers.*.layer_norm2.*"),
        new KeyRule("blocks.*.attn.qkv.*", [.. new[] { "q", "k", "v" }.Select(part => $"encoder.layers.*.self_attn.{part}_proj.*")]),
        new KeyRule("blocks.*.attn.proj.*", "encoder.layers.*.self_attn.out_proj.*"),
        new KeyRule("blocks.*.mlp.*", "encoder.layers.*.mlp.*"),
        new KeyRule("norm.*", "post_layernorm.*"),
        new KeyRule("attn_pool.latent", "head.probe"),
        new KeyRule("attn_pool.in_proj.*", "head.attention.in_proj_*"),
        new KeyRule("attn_pool.proj.*", "head.attention.out_proj.*"),
        new KeyRule("attn_pool.norm.*", "head.layernorm.*"),
        new KeyRule("attn_pool.mlp.*", "head.mlp.*"));

    public static PretrainedWeights BaseWebli => BackboneCatalog.WeightsOf("vit_base_patch16_siglip_224.timm/webli");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        new()
        {
            Name = "vit_base_patch16_siglip_224",
            Source = BackboneSource.Timm,
            Paper = "Zhai et al. 2023, arXiv:2303.15343",
            Build = () => Build("vit_base_patch16_siglip_224"),
            Head = "head_drop",
            // timm publishes it in millions: 92.88.
            PublishedParameters = 92_884_224,
            OtherLayouts = [HuggingFaceKeys],
            // No hash is published, and none is known: what is downloaded is not verified.
            Weights = [PretrainedWeights.Timm("vit_base_patch16_siglip_224.webli", hash: null, Stretched) with { Keys = TimmKeys }],
        },
    ];

    /// <summary>Samples from -1 to 1.</summary>
    private static Preprocessing Stretched => Preprocessing.KerasTf(ImageSizePixels, Interpolation.Bicubic);
}
