using Graft.Backbones;

namespace Graft.Tests.Backbones;

public class BackboneCatalogTests
{
    [Fact]
    public void Tag_chooses_the_weights()
    {
        var second = BackboneCatalog.Find("resnet50.torchvision/imagenet_v2");

        Assert.Equal("resnet50-11ad3fa6.pth", second.Weights[0].File!.FileName);
        Assert.Equal("resnet50.torchvision/imagenet_v2", second.FullName);
        Assert.Equal(BackboneCatalog.Find("resnet50.torchvision").Weights.Count, second.Weights.Count);
        Assert.Equal("resnet50-0676ba61.pth", BackboneCatalog.Find("resnet50.torchvision").Weights[0].File!.FileName);
        Assert.Equal("resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", BackboneCatalog.Find("resnet50/imagenet_notop").Weights[0].File!.FileName);
    }

    [Fact]
    public void Unknown_tag_is_answered_with_those_that_exist()
    {
        var problem = Assert.Throws<GraftException>(() => BackboneCatalog.Find("resnet50.torchvision/imagenet_v3"));

        Assert.Contains("imagenet_v1, imagenet_v2, a1_in1k", problem.Message, StringComparison.Ordinal);
        Assert.False(BackboneCatalog.Contains("resnet50.torchvision/imagenet_v3"));
        Assert.True(BackboneCatalog.Contains("resnet50.torchvision/imagenet_v2"));
        Assert.True(BackboneCatalog.Contains("tiny"));
    }

    [Fact]
    public void Tags_of_one_network_are_unique() => Assert.All(
        BackboneCatalog.All, entry => Assert.Equal(entry.Weights.Count, entry.Weights.Select(weights => weights.Tag).Distinct().Count()));

    [Fact]
    public void Aliases_stand_for_networks_of_the_catalog()
    {
        Assert.All(BackboneCatalog.Aliases, alias => Assert.Equal(alias.FullName, BackboneCatalog.Find(alias.Alias).FullName));
        Assert.Equal(EmbeddedBackbone.Name, BackboneCatalog.Find("tiny").Name);
        Assert.DoesNotContain(BackboneCatalog.All, entry => BackboneCatalog.Aliases.Any(alias => alias.Alias == entry.Name));
    }

    [Fact]
    public void Default_needs_no_download_and_is_the_bundled_network_where_the_build_has_it()
    {
        var bundled = BackboneCatalog.Find("resnet18.cntk").Weights[0];

        Assert.True(BackboneCatalog.Find(BackboneCatalog.Default).Weights[0].IsPartOfGraft);
        Assert.Equal(bundled.IsPartOfGraft ? "resnet18.cntk" : EmbeddedBackbone.Name, BackboneCatalog.Default);
    }

    [Fact]
    public void Bundled_file_that_is_missing_names_its_package_and_a_way_out()
    {
        var problem = Assert.Throws<GraftException>(() => new BundledFile("Absent.onnx", "Some.Package").Locate());

        Assert.Contains("Some.Package", problem.Message, StringComparison.Ordinal);
        Assert.Equal("bundled-weights-missing", problem.Code);
    }

    /// <summary>Whoever types a handle's name gets its weights, and no weights are without one.</summary>
    [Fact]
    public void Every_weights_record_has_a_typed_handle_and_every_handle_a_record()
    {
        var handles = typeof(BackboneCatalog).Assembly.GetExportedTypes().Where(type => type is { IsAbstract: true, IsSealed: true, Namespace: "Graft.Backbones" })
            .SelectMany(type => type.GetProperties(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Static))
            .Where(property => property.PropertyType == typeof(PretrainedWeights)).Select(property => ((PretrainedWeights)property.GetValue(null)!).FullName);

        Assert.Equal(
            BackboneCatalog.All.SelectMany(entry => entry.Weights).Select(weights => weights.FullName).Order(StringComparer.Ordinal),
            handles.Order(StringComparer.Ordinal));
        Assert.Equal("mobilenet_v2-b0353104.pth", MobileNetV2.ImageNetV1.File!.FileName);
    }

    [Theory]
    [InlineData("efficientnet_b?", 16)]
    [InlineData("efficientnet*", 26)]
    [InlineData("tiny", 4)]
    [InlineData("convnext keras", 5)]
    [InlineData("densenet torchvision", 4)]
    [InlineData("densenet keras", 3)]
    [InlineData("regnet keras", 0)]
    [InlineData("RESNET v2", 4)]
    [InlineData("vision", 99)]
    public void Words_and_patterns_choose_networks(string words, int count)
    {
        var found = BackboneCatalog.Matching(words.Split(' '));

        if (count < 99) Assert.Equal(count, found.Count);
        else Assert.Contains(found, entry => entry.Family == "Vision Transformer");
        Assert.Equal(BackboneCatalog.All, BackboneCatalog.Matching([]));
    }
}
