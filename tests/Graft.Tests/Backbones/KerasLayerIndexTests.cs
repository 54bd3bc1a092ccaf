using Graft.Backbones;

namespace Graft.Tests.Backbones;

/// <summary>Guides freeze by index (<c>model.layers[:249]</c>): ours are those of Keras's <c>model.layers</c>.</summary>
public class KerasLayerIndexTests
{
    [Theory]
    [InlineData("vgg16.keras", 15, "block5_conv1")]
    [InlineData("vgg16.keras", 18, "block5_pool")]
    [InlineData("vgg19.keras", 21, "block5_pool")]
    [InlineData("resnet50.keras", 174, "conv5_block3_out")]
    [InlineData("inception_v3.keras", 248, "mixed8")]
    [InlineData("inception_v3.keras", 310, "mixed10")]
    [InlineData("xception.keras", 131, "block14_sepconv2_act")]
    [InlineData("mobilenet_v1.keras", 85, "conv_pw_13_relu")]
    [InlineData("mobilenet_v2.keras", 153, "out_relu")]
    public void Layer_has_the_index_of_Keras(string backbone, int index, string layer) =>
        Assert.Equal(layer, BackboneCatalog.Find(backbone).Build().Layers[index].Name);
}
