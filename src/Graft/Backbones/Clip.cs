using Graft.Checkpoints;
using Graft.Checkpoints.Store;
using Graft.Imaging;
using Graft.Networks;
using static Graft.Networks.ActivationFunction;

namespace Graft.Backbones;

/// <summary>
/// The image towers of CLIP, Radford et al. 2021, arXiv:2103.00020, table 20: vision transformers learned from photos and their captions, for features; OpenAI's
/// definition (github.com/openai/CLIP, clip/model.py), which open_clip's files follow too; those of Hugging Face load as well, and the texts' tower in any of
/// them is passed over. The features are those before the projection to what images and texts share, as the paper's section 3.2 takes them.
/// </summary>
/// <remarks>
/// OpenAI's activation is x · sigmoid(1.702 · x); open_clip's own trainings have GELU instead, which their files do not tell: they are not for this network.
/// </remarks>
public static class Clip
{
    private const double Epsilon = 1e-5;
    private const int ImageSizePixels = 224;
    private const string Files = "https://openaipublic.azureedge.net/clip/models/";

    /// <summary>A row of table 20.</summary>
    private readonly record struct Size(int Patch, int Channels, int Depth, int Heads, int Embedding);

    private static Network Build(string name, Size size)
    {
        var patches = new NetworkBuilder(name).Input("input", channels: 3, ImageSizePixels)
            .Convolution("conv1", size.Channels, kernel: size.Patch, stride: size.Patch, bias: false);
        var x = patches.ClassToken("class_embedding").PositionEmbedding("positional_embedding", patches, grid: ImageSizePixels / size.Patch).LayerNorm("ln_pre", Epsilon);
        for (var block = 0; block < size.Depth; block++) x = Block(x, $"transformer.resblocks.{block}", size);
        return x.Builder.Build(x.LayerNorm("ln_post", Epsilon).FirstToken("pool").Dense("proj", size.Embedding, bias: false));
    }

    private static Node Block(Node input, string block, Size size)
    {
        var attended = input.LayerNorm($"{block}.ln_1", Epsilon)
            .PointwiseDense($"{block}.attn.in_proj", 3 * size.Channels).SelfAttention($"{block}.attn.heads", size.Heads)
            .PointwiseDense($"{block}.attn.out_proj", size.Channels).Add($"{block}.add1", input);
        return attended.LayerNorm($"{block}.ln_2", Epsilon)
            .PointwiseDense($"{block}.mlp.c_fc", 4 * size.Channels).Activation($"{block}.mlp.gelu", QuickGelu).PointwiseDense($"{block}.mlp.c_proj", size.Channels)
            .Add($"{block}.add2", attended);
    }

    private static readonly KeyMap OpenAIKeys = KeyMap.Of(
        new KeyRule("*.attn.in_proj.*", "*.attn.in_proj_*"),
        new KeyRule("proj.weight", "proj") { IsTransposed = true });

    /// <summary>transformers/models/clip/modeling_clip.py.</summary>
    private static readonly KeyMap HuggingFaceKeys = KeyMap.Of(
        new KeyRule("conv1.*", "vision_model.embeddings.patch_embedding.*"),
        new KeyRule("class_embedding", "vision_model.embeddings.class_embedding"),
        new KeyRule("positional_embedding", "vision_model.embeddings.position_embedding.weight"),
        new KeyRule("ln_pre.*", "vision_model.pre_layrnorm.*"),
        new KeyRule("ln_post.*", "vision_model.post_layernorm.*"),
        new KeyRule("transformer.resblocks.*.ln_1.*", "vision_model.encoder.layers.*.layer_norm1.*"),
        new KeyRule("transformer.resblocks.*.ln_2.*", "vision_model.encoder.layers.*.layer_norm2.*"),
        new KeyRule("transformer.resblocks.*.attn.in_proj.*", [.. new[] { "q", "k", "v" }.Select(part => $"vision_model.encoder.layers.*.self_attn.{part}_proj.*")]),
        new KeyRule("transformer.resblocks.*.attn.out_proj.*", "vision_model.encoder.layers.*.self_attn.out_proj.*"),
        new KeyRule("transformer.resblocks.*.mlp.c_fc.*", "vision_model.encoder.layers.*.mlp.fc1.*"),
        new KeyRule("transformer.resblocks.*.mlp.c_proj.*", "vision_model.encoder.layers.*.mlp.fc2.*"),
        new KeyRule("proj.*", "visual_projection.*")).PassingOver("text_model.", "text_projection.", "logit_scale");

    public static PretrainedWeights B32 => BackboneCatalog.WeightsOf("clip_vit_b_32.openai/openai");

    public static PretrainedWeights B16 => BackboneCatalog.WeightsOf("clip_vit_b_16.openai/openai");

    public static PretrainedWeights L14 => BackboneCatalog.WeightsOf("clip_vit_l_14.openai/openai");

    internal static IEnumerable<BackboneDefinition> Variants =>
    [
        Entry("clip_vit_b_32", new(32, 768, 12, 12, 512), 87_849_216, "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt"),
        Entry("clip_vit_b_16", new(16, 768, 12, 12, 512), 86_192_640, "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt"),
        Entry("clip_vit_l_14", new(14, 1024, 24, 16, 768), 303_966_208, "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt"),
    ];

    private static Preprocessing Whole => Preprocessing.Torchvision(ImageSizePixels, resize: ImageSizePixels, Interpolation.Bicubic) with
    {
        Mean = new(0.48145466, 0.4578275, 0.40821073),
        StandardDeviation = new(0.26862954, 0.26130258, 0.27577711),
    };

    /// <param name="path">The folder is the file's SHA-256, which OpenAI's program checks.</param>
    private static BackboneDefinition Entry(string name, Size size, long parameters, string path) => new()
    {
        Name = name,
        Source = BackboneSource.OpenAI,
        Paper = "Radford et al. 2021, arXiv:2103.00020",
        Build = () => Build(name, size),
        Head = "proj",
        PublishedParameters = parameters,
        OtherLayouts = [HuggingFaceKeys],
        Weights =
        [
            new()
            {
                Tag = "openai",
                File = new() { FileName = path.Split('/')[1], Url = new(Files + path), Hash = FileHash.Sha256(path.Split('/')[0]) },
                Preprocessing = Whole,
                License = "MIT",
                Keys = OpenAIKeys,
            },
        ],
    };
}
