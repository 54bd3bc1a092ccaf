using System.Runtime.InteropServices;
using Graft.Checkpoints.Store;

namespace Graft.Tests.Store;

public class WeightStoreOptionsTests
{
    private static readonly PublishedFile HuggingFaceFile = new()
    {
        FileName = "resnet18.a1_in1k.safetensors",
        Url = new("https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/model.safetensors?download=true"),
    };

    [Fact]
    public void Mirror_comes_before_the_hugging_face_endpoint()
    {
        var options = From(("GRAFT_MIRROR", "https://mirror.example/m"), ("HF_ENDPOINT", "https://hf.example/sub/"));
        Assert.Equal(
            [
                "https://mirror.example/m/resnet18.a1_in1k.safetensors",
                "https://hf.example/sub/timm/resnet18.a1_in1k/resolve/main/model.safetensors?download=true",
            ],
            options.Sources(HuggingFaceFile).Select(source => source.AbsoluteUri));
        var elsewhere = new PublishedFile { FileName = "a.pth", Url = new("https://download.pytorch.org/a.pth") };
        Assert.Equal(elsewhere.Url, options.Sources(elsewhere)[^1]);
        Assert.Equal([HuggingFaceFile.Url], From().Sources(HuggingFaceFile));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("0", false)]
    [InlineData("False", false)]
    [InlineData("1", true)]
    [InlineData("yes", true)]
    public void Offline_is_read_from_the_environment(string? value, bool isOffline) =>
        Assert.Equal(isOffline, From(("GRAFT_OFFLINE", value)).Offline);

    [Theory]
    [InlineData("GRAFT_MIRROR", "mirror.example/graft")]
    [InlineData("HF_ENDPOINT", "ftp://hf.example")]
    public void Address_that_is_none_is_named(string variable, string value)
    {
        var error = Assert.Throws<WeightStoreException>(() => From((variable, value)));
        error.AssertSays($"{variable} must be an http or https address");
        error.AssertSays(value);
    }

    [Fact]
    public void All_problems_are_reported_together()
    {
        var error = Assert.Throws<ArgumentException>(() => new WeightStore(new()
        {
            Folder = " ",
            Retries = -1,
            StallTimeout = TimeSpan.Zero,
            Mirror = new("ftp://x"),
        }));
        error.AssertSays("Folder", "Retries", "StallTimeout", "Mirror");
    }

    [Theory]
    [InlineData("../evil.pth")]
    [InlineData("a/b.pth")]
    [InlineData(".hidden")]
    [InlineData("weights.part")]
    [InlineData("weights.JSON")]
    [InlineData("")]
    public void File_name_that_could_do_harm_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => new PublishedFile { FileName = name, Url = new("https://a.org/") });

    [Theory]
    [InlineData("md5:64373286793e3c8b2b4e3219cbf3544b", FileHashAlgorithm.Md5)]
    [InlineData("sha256:7be5be79", FileHashAlgorithm.Sha256Prefix)]
    [InlineData("sha256:57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8", FileHashAlgorithm.Sha256)]
    public void Hash_is_read_as_it_is_written(string text, FileHashAlgorithm algorithm)
    {
        var hash = FileHash.Parse(text);
        Assert.Equal((algorithm, text), (hash.Algorithm, hash.ToString()));
    }

    [Fact]
    public void Broken_hashes_are_refused()
    {
        Assert.Throws<ArgumentException>(() => FileHash.Md5("123"));
        Assert.Throws<ArgumentException>(() => FileHash.Sha256(new string('g', 64)));
        Assert.Throws<ArgumentException>(() => FileHash.Sha256Prefix("1234567"));
        Assert.Throws<FormatException>(() => FileHash.Parse("crc32:12345678"));
    }

    [Fact]
    public void Home_is_where_each_platform_keeps_caches()
    {
        Assert.Equal("/home/u/.cache/graft", Home(OSPlatform.Linux, ("HOME", "/home/u")));
        Assert.Equal("/c/graft", Home(OSPlatform.Linux, ("HOME", "/home/u"), ("XDG_CACHE_HOME", "/c")));
        Assert.Equal("/home/u/.cache/graft", Home(OSPlatform.Linux, ("HOME", "/home/u"), ("XDG_CACHE_HOME", "c")));
        Assert.Equal("/u/Library/Caches/graft", Home(OSPlatform.OSX, ("HOME", "/u"), ("XDG_CACHE_HOME", "/c")));
        Assert.Equal("/local/graft", Home(OSPlatform.Windows, ("LOCALAPPDATA", "/local")));
        foreach (var platform in new[] { OSPlatform.Linux, OSPlatform.OSX, OSPlatform.Windows })
            Assert.EndsWith("/mine", Home(platform, ("GRAFT_HOME", "/mine"), ("XDG_CACHE_HOME", "/c"), ("HOME", "/h")));

        static string Home(OSPlatform platform, params (string Name, string Value)[] variables) =>
            GraftHome.Locate(name => variables.FirstOrDefault(variable => variable.Name == name).Value, platform)
                .Replace('\\', '/');
    }

    private static WeightStoreOptions From(params (string Name, string? Value)[] variables) =>
        WeightStoreOptions.FromEnvironment("/w", name => variables.FirstOrDefault(set => set.Name == name).Value);
}
