using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Testing;
using Graft.Tests.Checkpoints;

namespace Graft.Tests.Backbones;

/// <summary>
/// Files of networks learned from photos and captions, which hold a tower for texts too. Keys and shapes are written out as their programs register them:
/// OpenAI's clip/model.py, timm/models/vision_transformer.py, transformers/models/clip/modeling_clip.py and siglip/modeling_siglip.py.
/// </summary>
public sealed class ImageTowerFilesTests : IDisposable
{
    private const long Width = 768, Hidden = 4 * Width;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string> Files => new()
    {
        { "clip_vit_b_32", nameof(OpenAI) }, { "clip_vit_b_32", nameof(HuggingFaceClip) },
        { "vit_base_patch16_siglip_224", nameof(TimmSigLip) }, { "vit_base_patch16_siglip_224", nameof(HuggingFaceSigLip) },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void The_image_tower_is_found_in_a_file_of_both(string network, string origin)
    {
        var tensors = TensorsOf(origin);
        var definition = BackboneCatalog.Find(network);
        using var file = Checkpoint.Open(HollowFile.Write(_folder.File("whole.safetensors"), tensors));

        Assert.NotNull(CheckpointWeights.TryMatch(file, definition.Build(), otherKeys: definition.OtherKeys));

        // One tensor of the tower is missing.
        using var part = Checkpoint.Open(HollowFile.Write(_folder.File("part.safetensors"), tensors.Where(tensor => !tensor.Key.EndsWith("11.mlp.fc1.bias", StringComparison.Ordinal)
            && !tensor.Key.EndsWith("visual.transformer.resblocks.11.mlp.c_fc.bias", StringComparison.Ordinal))));
        Assert.Null(CheckpointWeights.TryMatch(part, definition.Build(), otherKeys: definition.OtherKeys));
    }

    private static List<(string Key, long[] Shape)> TensorsOf(string origin) => origin switch
    {
        nameof(OpenAI) => [.. OpenAI()],
        nameof(HuggingFaceClip) => [.. HuggingFaceClip()],
        nameof(TimmSigLip) => [.. TimmSigLip()],
        _ => [.. HuggingFaceSigLip()],
    };

    private static IEnumerable<(string, long[])> OpenAI() =>
    [
        ("visual.conv1.weight", [Width, 3, 32, 32]), ("visual.class_embedding", [Width]), ("visual.positional_embedding", [50, Width]), ("visual.proj", [Width, 512]),
        .. Vector("visual.ln_pre", Width), .. Vector("visual.ln_post", Width), .. Blocks("visual.transformer.resblocks", Width),
        // Of the texts.
        ("positional_embedding", [77, 512]), ("text_projection", [512, 512]), ("logit_scale", []), ("token_embedding.weight", [49408, 512]),
        .. Vector("ln_final", 512), .. Blocks("transformer.resblocks", 512),
    ];

    private static IEnumerable<(string, long[])> Blocks(string blocks, long width) => Enumerable.Range(0, 12).SelectMany(block => ((string, long[])[])
    [
        .. Vector($"{blocks}.{block}.ln_1", width), .. Vector($"{blocks}.{block}.ln_2", width),
        ($"{blocks}.{block}.attn.in_proj_weight", [3 * width, width]), ($"{blocks}.{block}.attn.in_proj_bias", [3 * width]),
        .. Matrix($"{blocks}.{block}.attn.out_proj", width, width), .. Matrix($"{blocks}.{block}.mlp.c_fc", 4 * width, width),
        .. Matrix($"{blocks}.{block}.mlp.c_proj", width, 4 * width),
    ]);

    private static IEnumerable<(string, long[])> HuggingFaceClip() =>
    [
        ("vision_model.embeddings.class_embedding", [Width]), ("vision_model.embeddings.patch_embedding.weight", [Width, 3, 32, 32]),
        ("vision_model.embeddings.position_embedding.weight", [50, Width]), ("vision_model.embeddings.position_ids", [1, 50]),
        .. Vector("vision_model.pre_layrnorm", Width), .. Vector("vision_model.post_layernorm", Width), .. Encoder("vision_model", Width),
        ("visual_projection.weight", [512, Width]), ("text_projection.weight", [512, 512]), ("logit_scale", []),
        .. Vector("text_model.final_layer_norm", 512), .. Encoder("text_model", 512),
    ];

    private static IEnumerable<(string, long[])> Encoder(string model, long width) => Enumerable.Range(0, 12).Select(block => $"{model}.encoder.layers.{block}").SelectMany(block =>
        ((string, long[])[])
        [
            .. Vector($"{block}.layer_norm1", width), .. Vector($"{block}.layer_norm2", width),
            .. ((string[])["q_proj", "k_proj", "v_proj", "out_proj"]).SelectMany(part => Matrix($"{block}.self_attn.{part}", width, width)),
            .. Matrix($"{block}.mlp.fc1", 4 * width, width), .. Matrix($"{block}.mlp.fc2", width, 4 * width),
        ]);

    private static IEnumerable<(string, long[])> TimmSigLip() =>
    [
        ("patch_embed.proj.weight", [Width, 3, 16, 16]), ("patch_embed.proj.bias", [Width]), ("pos_embed", [1, 196, Width]), .. Vector("norm", Width),
        .. Enumerable.Range(0, 12).SelectMany(block => ((string, long[])[])
        [
            .. Vector($"blocks.{block}.norm1", Width), .. Vector($"blocks.{block}.norm2", Width),
            .. Matrix($"blocks.{block}.attn.qkv", 3 * Width, Width), .. Matrix($"blocks.{block}.attn.proj", Width, Width),
            .. Matrix($"blocks.{block}.mlp.fc1", Hidden, Width), .. Matrix($"blocks.{block}.mlp.fc2", Width, Hidden),
        ]),
        ("attn_pool.latent", [1, 1, Width]), .. Matrix("attn_pool.q", Width, Width), .. Matrix("attn_pool.kv", 2 * Width, Width), .. Matrix("attn_pool.proj", Width, Width),
        .. Vector("attn_pool.norm", Width), .. Matrix("attn_pool.mlp.fc1", Hidden, Width), .. Matrix("attn_pool.mlp.fc2", Width, Hidden),
    ];

    private static IEnumerable<(string, long[])> HuggingFaceSigLip() =>
    [
        ("logit_scale", [1]), ("logit_bias", [1]),
        .. Matrix("vision_model.embeddings.patch_embedding", Width, 3, 16, 16), ("vision_model.embeddings.position_embedding.weight", [196, Width]),
        .. Encoder("vision_model", Width), .. Vector("vision_model.post_layernorm", Width),
        ("vision_model.head.probe", [1, 1, Width]), ("vision_model.head.attention.in_proj_weight", [3 * Width, Width]), ("vision_model.head.attention.in_proj_bias", [3 * Width]),
        .. Matrix("vision_model.head.attention.out_proj", Width, Width), .. Vector("vision_model.head.layernorm", Width),
        .. Matrix("vision_model.head.mlp.fc1", Hidden, Width), .. Matrix("vision_model.head.mlp.fc2", Width, Hidden),
        .. Encoder("text_model", Width), .. Vector("text_model.final_layer_norm", Width), .. Matrix("text_model.head", Width, Width),
    ];

    private static (string, long[])[] Vector(string layer, long size) => [($"{layer}.weight", [size]), ($"{layer}.bias", [size])];

    private static (string, long[])[] Matrix(string layer, params long[] shape) => [($"{layer}.weight", shape), ($"{layer}.bias", [shape[0]])];
}
